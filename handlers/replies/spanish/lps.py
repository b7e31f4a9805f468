"""LPs, applicants, deposits, and what LPs see and wish for themselves."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "{lp} at {machine}: {amount} left": "{lp} en {machine}: quedan {amount}",
    "{id} {amount}, {lp} at {machine}, {status}": "{id} {amount}, {lp} en {machine}, {status}",
    "{machine}: {left} of {deposited} left": "{machine}: quedan {left} de {deposited}",
    "has not joined yet": "aún no se ha unido",
    "has joined": "ya se unió",
    "Next: deposit {machine} {lp} AMOUNT": "Sigue: deposit {machine} {lp} MONTO",
    "{lp} must now write to this bot: join you@example.com": (
        "{lp} debe escribirle ahora a este bot: unirse usted@example.com"
    ),
    "{lp} is enrolled at {machine}.": "{lp} está inscrito en {machine}.",
    "Key: {npub}": "Llave: {npub}",
    "No LP yet. To enrol one: lp add MACHINE npub1… NAME": (
        "Todavía no hay LP. Para inscribir uno: lp add CAJERO npub1… NOMBRE"
    ),
    "LPs:": "LP:",
    "No deposit here. To record one: deposit MACHINE LP AMOUNT": (
        "Aquí no hay depósitos. Para anotar uno: deposit CAJERO LP MONTO"
    ),
    "Deposits:": "Depósitos:",
    "Once it is in the cassette: deposit confirm {id}": "Cuando esté en la gaveta: deposit confirm {id}",
    "From now on it counts.": "Desde ahora cuenta.",
    "Your sats go to {target}, {time} after you confirm, instead of {old}.": (
        "Sus sats van a {target}, {time} después de que confirme, en vez de a {old}."
    ),
    "Your sats go to {target} at once, instead of {old}.": "Sus sats van enseguida a {target}, en vez de a {old}.",
    "Your sats go to {target}.": "Sus sats van a {target}.",
    "Say balance for what you have here.": "Escriba saldo para ver lo que tiene aquí.",
    "{amount} not yet confirmed": "{amount} aún sin confirmar",
    "You are enrolled at no machine.": "Usted no está inscrito en ningún cajero.",
    "and {count} more machines": "y {count} cajeros más",
    "No payment to you yet. Say balance for what you have here.": (
        "Todavía no hay pagos para usted. Escriba saldo para ver lo que tiene aquí."
    ),
    "{id} {time}: {sats}, {machine}, {status}": "{id} {time}: {sats}, {machine}, {status}",
    "Your payments:": "Sus pagos:",
    "{sats} so far": "{sats} hasta ahora",
    "Your payments: history": "Sus pagos: historial",
    "deposited {deposited}, pending {pending}, paid {paid}, on the way {reserved}": (
        "depositado {deposited}, pendiente {pending}, pagado {paid}, en camino {reserved}"
    ),
    "Noted: your sats would go to {target}.": "Anotado: sus sats irían a {target}.",
    "The operator has been told and still has to enrol you; you will hear from me then.": (
        "El operador ya lo sabe y aún debe inscribirlo; entonces le escribo."
    ),
    "From {time} UTC your sats go to {next}, until then to {target}.": (
        "Desde {time} UTC sus sats van a {next}, hasta entonces a {target}."
    ),
    "{rate} sats per {currency}": "{rate} sats por {currency}",
    "last {time}": "último {time}",
    "To go on: lp set {machine} {lp} status=active": "Para seguir: lp set {machine} {lp} status=active",
    "{id} {key}, paid to {target}, since {date}": "{id} {key}, se le paga a {target}, desde {date}",
    "To enrol one: lp add MACHINE {id} NAME": "Para inscribir uno: lp add CAJERO {id} NOMBRE",
    "{id} is forgotten, and is not told.": "{id} queda olvidado, y no se le avisa.",
    "Its sats go to {target}, from {time} UTC to {next}.": "Sus sats van a {target}, desde {time} UTC a {next}.",
    "{name} is frozen: nothing more is paid to it. What is on its way can't be called back.": (
        "{name} queda congelado: no se le paga más. Lo que va en camino no se puede detener."
    ),
    "To pay again: unfreeze {lp}": "Para volver a pagar: unfreeze {lp}",
    "Language: {language}": "Idioma: {language}",
    "Another one: language {code}": "Otro: idioma {code}",
    "At fixed times at most {amount} a day at each machine": "A horas fijas, a lo más {amount} por día en cada cajero",
    "{sats} of it was set off against what had been paid to you twice.": (
        "{sats} se descontaron de lo que se le había pagado dos veces."
    ),
    "{name} at {machine}: paused, it gets no share of what comes.": (
        "{name} en {machine}: en pausa, no recibe parte de lo que llega."
    ),
    "{name} at {machine}: active.": "{name} en {machine}: activo.",
    "{name} is removed: it is an LP here no more.": "{name} se quitó: ya no es LP aquí.",
    "Nobody waits to be enrolled.": "Nadie espera a que lo inscriban.",
    "Waiting to be enrolled:": "Esperan a que los inscriban:",
    "Its sats go to {target}.": "Sus sats van a {target}.",
    "Reason: {reason}": "Motivo: {reason}",
    "You are frozen: nothing more is paid to you. What is on its way can't be called back.": (
        "Usted está congelado: no se le paga más. Lo que va en camino no se puede detener."
    ),
    "Your sats go to {target} now, not to {replaces}.": "Sus sats van ahora a {target}, ya no a {replaces}.",
    "Your sats will go to {next} from {time} UTC, not to {replaces}.": (
        "Sus sats irán a {next} desde {time} UTC, ya no a {replaces}."
    ),
    "{name}: its sats go to {target} now, not to {replaces}.": (
        "{name}: sus sats van ahora a {target}, ya no a {replaces}."
    ),
    "{name}: its sats will go to {next} from {time} UTC, not to {replaces}.": (
        "{name}: sus sats irán a {next} desde {time} UTC, ya no a {replaces}."
    ),
    "Nobody knows yet where your sats go: join you@example.com": (
        "Nadie sabe aún a dónde van sus sats: unirse usted@example.com"
    ),
    "Messages at each payment: on": "Avisos de cada pago: sí",
    "Messages at each payment: off": "Avisos de cada pago: no",
    "{name} is not enrolled at {machine} any more.": "{name} ya no está inscrito en {machine}.",
    "Where it still is: lp show {lp}": "Dónde sigue: lp show {lp}",
    "To be paid again: unfreeze": "Para que le vuelvan a pagar: unfreeze",
    "Only the operator can lift this.": "Solo el operador lo puede levantar.",
    "The operator has frozen your payments: your sats wait.": "El operador congeló sus pagos: sus sats esperan.",
    "Only the operator can lift this: write to the operator.": "Solo el operador lo puede levantar: escríbale.",
    "The operator has lifted the freeze: you are paid again.": "El operador lo descongeló: se le vuelve a pagar.",
    "Where your sats go: prefs show": "A dónde van sus sats: prefs show",
    "{name} has frozen itself: nothing more is paid to it.": "{name} se congeló: no se le paga más.",
    "If its key may be in other hands, so that only you can lift it: freeze {lp}": (
        "Si su llave puede estar en otras manos, para que solo usted lo levante: freeze {lp}"
    ),
    "{name} has unfrozen itself: it is paid again.": "{name} se descongeló: se le vuelve a pagar.",
    "If that was not you: freeze, and speak to the operator at once.": (
        "Si no fue usted: freeze, y hable ya con el operador."
    ),
    "If {name} knows nothing of it: freeze {lp}": "Si {name} no sabe nada de eso: freeze {lp}",
    "Mode: {mode}": "Modo: {mode}",
    "To change something: help prefs set": "Para cambiar algo: help prefs set",
    "{payment}: {sats} for {amount} of yours in {machine}.": "{payment}: {sats} por {amount} suyos en {machine}.",
    "What is left: balance": "Lo que queda: saldo",
    "{deposit}: your {amount} are in {machine} and count from now on.": (
        "{deposit}: sus {amount} ya están en {machine} y cuentan desde ahora."
    ),
    "{name} is paid again.": "A {name} se le vuelve a pagar.",
    "Besides: {changes}": "Además: {changes}",
    "You are paid again.": "Se le vuelve a pagar.",
    "{id}: {key} wants to join as an LP, paid to {target}.": "{id}: {key} quiere unirse como LP y cobrar en {target}.",
    "To enrol: lp add MACHINE {id} NAME": "Para inscribirlo: lp add CAJERO {id} NOMBRE",
    "You are enrolled as an LP at {machine}. Your sats go to {target}.": (
        "Usted está inscrito como LP en {machine}. Sus sats van a {target}."
    ),
    "Say balance or help.": "Escriba saldo o ayuda.",
    "If that was not you: freeze, and write to the operator.": "Si no fue usted: freeze, y escríbale al operador.",
    "One of them: lp show NAME": "Uno de ellos: lp show NOMBRE",
    "You are frozen: nothing is paid to you until unfreeze.": (
        "Usted está congelado: no se le paga nada hasta unfreeze."
    ),
}
