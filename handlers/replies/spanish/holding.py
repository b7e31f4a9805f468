"""What keeps the bot from paying by its own rules: holds, caps, fees, differences."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "{ref}: {rule} ({detail})": "{ref}: {rule} ({detail})",
    "The books don't hold: nothing more is paid. What is on its way is followed up.": (
        "Los libros no cuadran: no se paga nada más. Lo que va en camino se sigue."
    ),
    "Look at it before anything else. When it is mended: resume. It is checked again then.": (
        "Revíselo antes que nada. Cuando esté arreglado: resume. Entonces se comprueba otra vez."
    ),
    "If you have looked and can live with it: hold lift books REASON": (
        "Si usted lo revisó y puede vivir con eso: hold lift books RAZÓN"
    ),
    "Somebody else has written into the database, and to check all of it took too long.": (
        "Alguien más escribió en la base de datos, y comprobarla entera tardó demasiado."
    ),
    "Nothing new is paid until it is checked. It is tried again, and what is on its way is followed up.": (
        "No se paga nada nuevo hasta comprobarla. Se intenta otra vez, y lo que va en camino se sigue."
    ),
    "If it lasts, have somebody at the server look: satmachine verify": (
        "Si dura, que alguien revise en el servidor: satmachine verify"
    ),
    "Held since {time} UTC: {why}": "Retenido desde {time} UTC: {why}",
    "Payments go on although this was found. Whoever is paid wrongly by it, you answer for.": (
        "Los pagos siguen aunque se encontró esto. Si alguien recibe un mal pago por eso, usted responde."
    ),
    "{hold} holds nothing any more.": "{hold} ya no retiene nada.",
    "{hold} holds nothing any more. Payments go on.": "{hold} ya no retiene nada. Los pagos siguen.",
    "Nothing is paid all the same: {why}": "De todos modos no se paga nada: {why}",
    "Nothing is paid: {why}": "No se paga nada: {why}",
    "Payments are paused, and held besides: {why}": "Los pagos están en pausa, y además retenidos: {why}",
    "The pause is over, and nothing is paid all the same: {why}": (
        "La pausa terminó, y de todos modos no se paga nada: {why}"
    ),
    "To go on all the same: hold lift {hold} REASON": "Para seguir de todos modos: hold lift {hold} RAZÓN",
    "Checked again: the books hold.": "Comprobado otra vez: los libros cuadran.",
    "It waits: the bot holds all payments. Say status.": "Espera: el bot retiene todos los pagos. Escriba estado.",
    "Wallet {wallet} has paid its cap of {sats} a day.": "La billetera {wallet} pagó su límite de {sats} al día.",
    "Wallet {wallet} has paid its cap of {sats} an hour.": "La billetera {wallet} pagó su límite de {sats} por hora.",
    "Wallet {wallet} has its cap of {sats} on the way.": "La billetera {wallet} tiene su límite de {sats} en camino.",
    "{payment} and what comes after it waits, and goes on by itself. Nothing is lost.": (
        "{payment} y lo que sigue espera, y continúa por sí solo. No se pierde nada."
    ),
    "The caps are in the configuration, under payouts.": "Los límites están en la configuración, en payouts.",
    "{payment} to {label}: the wallet paid {fee} for the routing of {sats}, at most {most} are allowed.": (
        "{payment} a {label}: la billetera pagó {fee} de ruta por {sats}, se permiten {most} como máximo."
    ),
    "It is paid, and nothing more is paid to {label} for now.": (
        "Está pagado, y por ahora no se le paga nada más a {label}."
    ),
    "what is held, such as books: status says so": "lo que retiene, como books: lo dice estado",
    "Has payments go on although the bot held them: you have looked at the cause, and live with it.": (
        "Hace seguir los pagos que el bot retuvo: usted revisó la causa y vive con eso."
    ),
    "an LP's name or key; or platform, a partner's target, a payment's id such as P40": (
        "nombre o llave de un LP; o platform, el destino de un socio, el id de un pago como P40"
    ),
    "Books and wallets differ: {count} differences.": "Libros y billeteras difieren: {count} diferencias.",
    "Books and wallets differ in one point.": "Libros y billeteras difieren en un punto.",
    "To compare them again: reconcile": "Para compararlos otra vez: reconcile",
    "the wallet shows it paid twice": "la billetera lo muestra pagado dos veces",
    "the rule {rule} is broken by {ref}: {detail}": "{ref} rompe la regla {rule}: {detail}",
    "over the cap of {most} sats an hour": "pasa del límite de {most} sats por hora",
    "over the cap of {most} sats on the way at once": "pasa del límite de {most} sats en camino a la vez",
    "a payment of it is open, and the bot holds all payments: status": (
        "tiene un pago abierto, y el bot retiene todos los pagos: status"
    ),
    "nothing is held by the name “{hold}”: say status": "nada se retiene con el nombre “{hold}”: escriba estado",
}
