"""Everything that a person may read can be said in every language, with the same facts in it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from handlers.commands import registry
from handlers.replies import LANGUAGES, names, spanish, stored
from handlers.roles import Role
from handlers.wallet_trouble import BROKE, GONE, QUOTA, RATE_LIMITED, REVOKED, UNFIT
from ledger.errors import Code, Worded
from ledger.fees import TxType
from ledger.model import EnrolmentStatus, LpMode
from ledger.states import AttemptState, DepositStatus, EvidenceClass, LegStatus, LegType, SettlementStatus
from ledger.views import Bucket
from tests.handlers.templates import PLACES, ROOT, STORED, Template, placeholders, sources, templates

OTHERS = [language for language in LANGUAGES if language != "en"]
_MARKUP = re.compile(r"[`*#<]|__|\]\(")


@cache
def found() -> tuple[Template, ...]:
    return tuple(templates())


@cache
def keys() -> frozenset[str]:
    return frozenset(each.text for each in found() if each.text) | {each.summary for each in registry.every_command()}


def test_each_template_is_a_literal_and_gets_its_values() -> None:
    assert len(found()) > 400
    wrong = []
    for each in found():
        if each.text is None:
            wrong.append(f"{each.where}: {each.maker} needs a literal template")
        elif each.maker != "phrase" and each.given is not None and not placeholders(each.text) <= each.given:
            wrong.append(f"{each.where}: {each.text!r} lacks {placeholders(each.text) - each.given}")
    assert not wrong, "\n".join(wrong)


def test_every_error_that_speaks_is_looked_for() -> None:
    def below(kind: type[Worded]) -> Iterator[type[Worded]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    assert {each.__name__ for each in below(Worded)} <= PLACES.keys()


@pytest.mark.parametrize("language", OTHERS)
def test_every_template_is_translated_and_nothing_else(language: str) -> None:
    catalogue = LANGUAGES[language].catalogue
    missing = sorted(keys() - catalogue.keys())
    leftover = sorted(catalogue.keys() - keys())
    assert (missing, leftover) == ([], [])


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_holds_the_same_facts_in_the_same_tone(language: str) -> None:
    wrong = []
    for english, text in LANGUAGES[language].catalogue.items():
        if placeholders(english) != placeholders(text):
            wrong.append(f"other placeholders: {english!r} {text!r}")
        if not text or (text != text.strip() and english == english.strip()):
            wrong.append(f"empty, or blanks around: {text!r}")
        if len(text) > len(english) * 1.7 + 25:
            wrong.append(f"too long for a phone: {text!r}")
        if _MARKUP.search(text) and not _MARKUP.search(english):
            wrong.append(f"markup: {text!r}")
        if (english[-1:] in ".:?") != (text[-1:] in ".:?"):
            wrong.append(f"ends otherwise: {english!r} {text!r}")
    assert not wrong, "\n".join(wrong)


def test_every_value_that_is_shown_has_a_word() -> None:
    states = (SettlementStatus, LegStatus, AttemptState, DepositStatus, EnrolmentStatus)
    assert {value for kind in states for value in kind} | {"unmatched"} == names.STATUSES.keys()
    assert set(LegType) == names.PAYMENT_TYPES.keys()
    assert set(TxType) == names.DIRECTIONS.keys()
    assert set(LpMode) == names.MODES.keys()
    assert set(Role) == names.ROLES.keys()
    assert set(Bucket) == names.BUCKETS.keys()
    assert set(EvidenceClass) == names.EVIDENCE.keys()
    assert {BROKE, QUOTA, REVOKED, RATE_LIMITED, UNFIT, GONE} == names.WALLET_STOPS.keys()
    refusing = [(ROOT / path).read_text() for path in ("ledger/decide/landing.py", "handlers/proof.py")]
    codes = {Code[name].value for text in refusing for name in re.findall(r"Code\.([A-Z_]+)", text)}
    assert codes <= names.REASONS.keys() <= {*Code, "leg_failed", "reset"}
    schema = (ROOT / "storage/migrations/0001_initial.sql").read_text()
    sources = re.search(r"CHECK \(source IN \(('pay'[^)]*)\)", schema)
    assert sources is not None
    assert set(re.findall(r"'(\w+)'", sources[1])) == names.SOURCES.keys()


def test_no_phrase_stands_in_two_parts_of_the_catalogue() -> None:
    parts: list[Mapping[str, str]] = [part.TEXTS for part in spanish.PARTS]
    assert [text for text, count in Counter(key for part in parts for key in part).items() if count > 1] == []


_KEEPERS = {"fail", "skip", "void", "put_off", "not_fetched", "unpayable", "_use_up_a_try", "_void", "_skipped"}
"""Functions that are given the reason which the books keep of a payment."""
_KEPT = {"reason", "detail", "_WHY"}
"""Names under which such sentences stand in the modules that write them."""
_WRITERS = (
    "ledger/decide/distribution.py",
    "ledger/views.py",
    "handlers/payment.py",
    "handlers/settlement_orders.py",
    "bot/workers/payer.py",
)


def _skeleton(node: ast.AST) -> str | None:
    """A sentence with `{}` for each value in it; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and " " in node.value else None
    if not isinstance(node, ast.JoinedStr):
        return None
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return text if re.search(r"[a-z]", text) else None


def _sentences(node: ast.AST) -> Iterator[str]:
    """The sentences in an expression, each as one."""
    text = _skeleton(node)
    if text is not None:
        yield text
    elif not isinstance(node, ast.JoinedStr):
        for each in ast.iter_child_nodes(node):
            yield from _sentences(each)


def _bare(template: str) -> str:
    return re.sub(r"\{\w+(?::[^}]*)?\}", "{}", template)


def test_what_the_books_keep_is_known_as_it_is_written() -> None:
    """Reasons are stored in English. Each that is written has its template in the table of stored sentences, and each
    template there is one that is written."""
    written: set[str] = set()
    kept = {_bare(each.text) for each in found() if each.maker in STORED and each.text}
    kept |= {_bare(each.text) for each in found() if each.where.startswith("ledger/decide/landing.py") and each.text}
    for path, tree in sources():
        if "replies" in path.parts:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.expr) and (text := _skeleton(node)):
                written.add(_bare(text))
            given: list[ast.expr] = []
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                given = node.args if name in _KEEPERS else []
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value and str(path).endswith(_WRITERS):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                named = any(isinstance(each, ast.Name) and each.id in _KEPT for each in targets)
                given = [node.value] if named else []
            kept |= {text for each in given for text in _sentences(each)}
    known = {_bare(each) for each in stored.SENTENCES}
    assert sorted(kept - known) == []
    assert sorted(known - written) == []
