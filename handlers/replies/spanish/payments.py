"""Payments and their attempts."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "It waits: {machine} is paused. To go on: resume {machine}": (
        "Espera: {machine} está en pausa. Para seguir: resume {machine}"
    ),
    "It waits: payments are paused.": "Espera: los pagos están en pausa.",
    "{id} {type}, {sats} to {label}: {status}": "{id} {type}, {sats} a {label}: {status}",
    "It waits for you: retry {settlement}": "Lo espera a usted: retry {settlement}",
    "An invoice is there; the wallet is asked to pay it next.": (
        "Ya hay una factura; sigue pedirle a la billetera que la pague."
    ),
    "The wallet is asked what became of it, next at {time} UTC. Nothing is paid again before.": (
        "Se le pregunta a la billetera qué pasó, la próxima a las {time} UTC. Antes no se paga otra vez."
    ),
    "The wallet says paid, without proof: it is never paid again, proof is looked for at {time} UTC.": (
        "La billetera dice pagado, sin comprobante: no se paga otra vez, se busca el comprobante a las {time} UTC."
    ),
    "It waits: payments are paused. To go on: resume": "Espera: los pagos están en pausa. Para seguir: resume",
    "It waits: the wallet can't pay now. Say status.": "Espera: la billetera no puede pagar ahora. Escriba estado.",
    "It waits: the payee is frozen.": "Espera: el beneficiario está congelado.",
    "The payee is asked for an invoice at {time} UTC.": "Se le pide una factura al beneficiario a las {time} UTC.",
    "Attempt …{end}: {state}, sent {time}": "Intento …{end}: {state}, enviado {time}",
    "last word: {what} ({who}) {time}": "lo último: {what} ({who}) {time}",
    "No payment here.": "Aquí no hay pagos.",
    "Payments:": "Pagos:",
    "Of {settlement}, {machine}": "De {settlement}, {machine}",
    "Completed {time} UTC": "Completado {time} UTC",
    "Earlier attempts: {count}": "Intentos anteriores: {count}",
    "Preimage {preimage}": "Preimagen {preimage}",
    "{payment} was paid a second time: {sats}, by a payment that the wallet had said was lost. The "
    "payee's next payments are lowered by it: show {payment}": (
        "{payment} se pagó dos veces: {sats}, por un pago que la billetera había dado por perdido. Se "
        "descuenta de los próximos pagos del beneficiario: show {payment}"
    ),
    "{payment}: the wallet now says that it paid what it had said was lost, and gives no proof. Nothing "
    "more is tried with it. Look into the wallet.": (
        "{payment}: la billetera dice ahora que pagó lo que había dado por perdido, y no da comprobante. No "
        "se intenta nada más con él. Revise la billetera."
    ),
    "Not everybody in fixed mode could be paid:": "No se le pudo pagar a todos en modo fijo:",
    "Nobody is paid at fixed times here any more: you get your share of every cash-out again.": (
        "Aquí ya no se paga a horas fijas: usted vuelve a recibir su parte de cada retiro."
    ),
    "The configuration has no times for fixed mode: {names} get their share of every cash-out again.": (
        "La configuración no tiene horas para el modo fijo: {names} vuelven a recibir su parte de cada retiro."
    ),
    "{credit} of it were paid twice before and are set off: {rest} leave the wallet.": (
        "{credit} ya se habían pagado dos veces y se descuentan: salen {rest} de la billetera."
    ),
    "To pay them now: fixed run": "Para pagarles ahora: fixed run",
    "{name}: {why}": "{name}: {why}",
    "planned {time} UTC, wallet {wallet}": "planeado {time} UTC, billetera {wallet}",
    "routing {sats}": "ruta {sats}",
    "Last: {done}": "Último: {done}",
}
