"""Help, status, pauses, money orders, and what every list says."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "Paused: {machines}. To go on: {order}": "En pausa: {machines}. Para seguir: {order}",
    "More about one: help {command}": "Más sobre una: help {command}",
    "More about them: help {group}, help {command}": "Más sobre ellas: help {group}, help {command}",
    "For example: {example}": "Por ejemplo: {example}",
    "It is done only after confirm with a code.": "Solo se hace después de confirmar con un código.",
    "Your role here: {roles}": "Su rol aquí: {roles}",
    "You have no role here yet. To become an LP: join you@example.com": (
        "Usted todavía no tiene un rol aquí. Para ser LP: unirse usted@example.com"
    ),
    "Your key: {npub}": "Su llave: {npub}",
    "I talk to you in English.": "Le hablo en español.",
    "Say help for what you can do.": "Escriba ayuda para ver lo que puede hacer.",
    "Wallet {wallet}: {facts}": "Billetera {wallet}: {facts}",
    "balance unknown": "saldo desconocido",
    "{sats} on the way": "{sats} en camino",
    "stopped: {why}": "parada: {why}",
    "not reached": "sin conexión",
    "Relays: {up} of {count} up, down: {down}": "Relays: {up} de {count} conectados, sin conexión: {down}",
    "Relays: all {count} up": "Relays: {count}, todos conectados",
    "They take messages and deliver none: {relays}": "Reciben mensajes y no entregan ninguno: {relays}",
    "Reports that never came: {machines}. Which: machine show {machine}": (
        "Reportes que nunca llegaron: {machines}. Cuáles: machine show {machine}"
    ),
    "Relay {relay} takes messages and delivers none: what is sent to me only there does not arrive.": (
        "El relay {relay} recibe mensajes y no entrega ninguno: lo que me envían solo por ahí no llega."
    ),
    "If that lasts, use another one. How it stands: status": "Si sigue así, use otro. Cómo está: estado",
    "I heard no relay from {since} to {until}, and paid nothing new from when I noticed.": (
        "No oí ningún relay de {since} a {until}, y desde que lo noté no pagué nada nuevo."
    ),
    "Payments go on. What you ordered meanwhile and I did not answer, say again.": (
        "Los pagos siguen. Lo que ordenó mientras tanto y no contesté, dígalo otra vez."
    ),
    "and {count} more wallets: wallet list": "y {count} billeteras más: wallet list",
    "Version {version}, up {time}": "Versión {version}, activa desde hace {time}",
    "All payments are paused: resume": "Todos los pagos están en pausa: resume",
    "Running, payments are on.": "En marcha, los pagos están activos.",
    "Last settlement: {time}": "Última transacción: {time}",
    "To go on: {command}": "Para seguir: {command}",
    "A newer order, of {time}, stands.": "Vale una orden más nueva, de {time}.",
    "{machine}: payments are paused. What comes in is still recorded.": (
        "{machine}: los pagos están en pausa. Lo que llega se sigue anotando."
    ),
    "Payments are paused. What comes in is still recorded.": (
        "Los pagos están en pausa. Lo que llega se sigue anotando."
    ),
    "{machine}: payments are on.": "{machine}: los pagos están activos.",
    "Payments are on.": "Los pagos están activos.",
    "All payments are still paused: resume": "Todos los pagos siguen en pausa: resume",
    "Meanwhile something changed. Now this would happen:": "Mientras tanto algo cambió. Ahora pasaría esto:",
    "This would happen:": "Pasaría esto:",
    "To do it, within 10 min: confirm {code}": "Para hacerlo, antes de 10 min: confirmar {code}",
    "Done.": "Hecho.",
    "and {count} more here": "y {count} más aquí",
    "and {count} more": "y {count} más",
    "Older ones: {order}": "Más viejos: {order}",
    "One of them: {order}": "Uno de ellos: {order}",
    "never": "nunca",
    "yes": "sí",
    "no": "no",
    "nothing": "nada",
    "Nothing needs a person.": "Nada requiere su atención.",
    "Needs a person: {counts}. Say worklist.": "Requiere atención: {counts}. Escriba pendientes.",
}
