"""Everybody is spoken to in the language of their own; what is typed is understood in both."""

from __future__ import annotations

import pytest

from handlers import replies
from handlers.commands import registry
from handlers.replies import LANGUAGES
from handlers.roles import Role
from ledger.errors import Code, Refusal
from storage import people
from tests.handlers.desk import ANA, BOSS, EVE, SUPER, Desk

SHORT_FORMS = {
    "ayuda": "help",
    "hola": "help",
    "saldo": "balance",
    "historial": "history",
    "unirse": "join",
    "confirmar": "confirm",
    "estado": "status",
    "pendientes": "worklist",
    "idioma": "prefs set",
    "alarmas": "alarm list",
    "resumen": "digest",
}


@pytest.mark.parametrize(("word", "name"), SHORT_FORMS.items())
def test_spanish_words_stand_for_orders(word: str, name: str) -> None:
    command = registry.get(name)
    assert command is not None
    assert word in command.short
    assert replies.language_of(word) == "es"


def test_no_other_word_tells_of_a_language() -> None:
    every = {short for each in registry.every_command() for short in (*each.short, *each.name.split())}
    assert {word for word in every if replies.language_of(word)} == SHORT_FORMS.keys()


async def test_who_begins_in_spanish_is_answered_in_it_from_then_on(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp()
    assert await desk.told(ANA, "¡Hola!") == await desk.told(ANA, "help")
    assert (await desk.told(ANA, "saldo")).splitlines()[0] == "sintra: quedan Q2,000.00 de Q2,000.00"
    assert (await desk.told(ANA, "history")).startswith("Todavía no hay pagos para usted.")
    assert (await desk.told(ANA, "historial since=mañana")).startswith("No se hizo: since debe ser una fecha")
    assert "Le hablo en español." in await desk.told(ANA, "whoami")
    assert (await desk.ask(ANA, "whoami"))["language"] == "es"
    assert (await desk.ask(BOSS, "whoami"))["language"] == "en"


async def test_a_choice_is_not_changed_by_a_word(desk: Desk) -> None:
    await desk.tx(lambda tx: people.set_language(tx, BOSS, "en"))
    assert (await desk.told(BOSS, "pendientes")) == "Nothing needs a person."
    assert (await desk.told(BOSS, "worklist")) == "Nothing needs a person."
    assert await desk.tx(lambda tx: people.chosen_language(tx, BOSS)) == "en"


async def test_a_stranger_is_answered_in_spanish_and_nothing_is_kept(desk: Desk) -> None:
    """Once a day to anything but joining."""
    assert (await desk.told(EVE, "Unirse eve@example.com")).splitlines()[
        0
    ] == "Anotado: sus sats irían a eve@example.com."
    assert (await desk.told(EVE, "join eve@example.com")).splitlines()[
        0
    ] == "Noted: your sats would go to eve@example.com."
    assert (await desk.told(EVE, "hola")).splitlines() == [
        "ayuda, confirmar, unirse, whoami",
        "Más sobre una: help join",
    ]
    assert await desk.count("SELECT count(*) FROM people") == 0


async def test_programs_are_spoken_to_in_one_language(desk: Desk) -> None:
    await desk.tx(lambda tx: people.set_language(tx, BOSS, "es"))
    refused = await desk.refused(BOSS, "machine.show", machine="nowhere")
    assert refused["message"] == "there is no machine “nowhere”: there is none yet: machine add"
    assert (await desk.told(BOSS, "machine show nowhere")) == (
        "No se hizo: no hay un cajero “nowhere”: todavía no hay ninguno: machine add"
    )


async def test_a_state_in_a_refusal_is_translated_and_what_somebody_wrote_is_not(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(name="pending")
    await desk.tx(lambda tx: people.set_language(tx, BOSS, "es"))
    assert (await desk.told(BOSS, "deposit confirm D1")) == (
        "No se hizo: D1 está confirmado: solo uno pendiente se puede cambiar"
    )
    assert "pending en sintra" in await desk.told(BOSS, "lps")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_is_known_as_one_in_every_language(language: str) -> None:
    for code in Code:
        assert replies.says_no(replies.render_refusal(Refusal(code, "say help for what there is"), language))
    assert not replies.says_no("Nothing needs a person.")
    assert not replies.says_no("No machine yet. To register one: help machine add")
    assert not replies.says_no("No hay billeteras configuradas.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("who", [BOSS, SUPER, ANA])
async def test_help_fits_a_screen_for_everybody_and_has_an_example_of_each(desk: Desk, who: str, language: str) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    await desk.tx(lambda tx: people.set_language(tx, who, language))
    role = {BOSS: Role.OPERATOR, SUPER: Role.PLATFORM, ANA: Role.LP}[who]
    allowed = [each for each in registry.every_command() if each.allowed({role})]
    whole = await desk.told(who, "help")
    assert len(whole.splitlines()) <= 12, whole
    for each in allowed:
        group, _, rest = each.name.partition(" ")
        spanish = [short for short in each.short if short in LANGUAGES[language].first_words]
        shown = group if rest or not spanish else spanish[0]
        assert any(shown in line and rest in line for line in whole.splitlines()), each.name
        of_group = await desk.told(who, f"help {group}")
        assert len(of_group.splitlines()) <= 12, of_group
        assert each.example in of_group
        one = await desk.told(who, f"help {each.name}")
        assert len(one.splitlines()) <= 12, one
        assert one.startswith(f"{each.name}: {LANGUAGES[language].known(each.summary)}\n")
        assert all(f"\n  {name}" in one for name in each.params.model_fields)
        assert one.endswith(each.example)
