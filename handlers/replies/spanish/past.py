"""A database from the past, and the payments that it has forgotten."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "Nothing more is paid: {why}.": "No se paga nada más: {why}.",
    "What was sent after {time} UTC is looked for in the wallets now. What is found is booked, and not paid again.": (
        "Ahora se busca en las billeteras lo que se envió después del {time} UTC. Lo que se encuentra se anota y no se "
        "paga otra vez."
    ),
    "Payments go on by themselves when all is found.": "Los pagos siguen por sí solos cuando todo esté encontrado.",
    "I can't know that all of it is found: I will ask you then.": (
        "No puedo saber si se encuentra todo: entonces le preguntaré."
    ),
    "Orders and deposits since then are lost: enter them again. How far it is: forgotten list": (
        "Las órdenes y los depósitos desde entonces se perdieron: ingréselos otra vez. Cómo va: forgotten list"
    ),
    "What the restored database had forgotten is found: payments go on.": (
        "Se encontró lo que la base restaurada había olvidado: los pagos siguen."
    ),
    "{count} of these payments still wait for their transaction: forgotten list": (
        "{count} de esos pagos todavía esperan su transacción: forgotten list"
    ),
    "All wallets were asked what they sent since the backup.": (
        "Se preguntó a todas las billeteras qué enviaron desde el respaldo."
    ),
    "Payments go on when each has met its transaction, or you have said of each what it was.": (
        "Los pagos siguen cuando cada uno haya encontrado su transacción, o cuando usted haya dicho qué era cada uno."
    ),
    "All wallets were asked what they sent since the backup. Nothing more is paid until you say so.": (
        "Se preguntó a todas las billeteras qué enviaron desde el respaldo. "
        "No se paga nada más hasta que usted lo diga."
    ),
    "{waiting} payments are not in the books, of {unexplained} of them nobody knows what for: forgotten list": (
        "{waiting} pagos no están en los libros, de {unexplained} de ellos nadie sabe para qué son: forgotten list"
    ),
    "Say of each what it was, then: hold lift past REASON": (
        "Diga de cada uno qué fue, y después: hold lift past RAZÓN"
    ),
    "nobody knows what for": "nadie sabe para qué",
    "…{end}: {sats}, {time}": "…{end}: {sats}, {time}",
    "the wallet shows it paid": "la billetera lo muestra pagado",
    "Not asked to the end yet: {wallets}": "Aún no se leyeron hasta el final: {wallets}",
    "No payment is forgotten.": "Ningún pago está olvidado.",
    "Sent, and not in the books:": "Enviados, y no están en los libros:",
    "may be {payments}": "puede ser {payments}",
    "If you know what one of them paid: forgotten match HASH_END P40": (
        "Si usted sabe qué pagó uno de ellos: forgotten match HASH_END P40"
    ),
    "If it paid nothing that is owed here: forgotten drop HASH_END REASON": (
        "Si no pagó nada de lo que aquí se debe: forgotten drop HASH_END RAZÓN"
    ),
    "This payment would count as what paid {payment}:": "Este pago contaría como el que pagó {payment}:",
    "…{end} is looked into as what paid {payment}: show {payment}": (
        "…{end} se revisa como el que pagó {payment}: show {payment}"
    ),
    "P{id} is not open for this very amount in wallet {wallet}: forgotten list says what it may be, or how its "
    "transaction is shared out anew": (
        "P{id} no está abierto por este mismo monto en la billetera {wallet}: forgotten list dice qué puede ser, o "
        "cómo se reparte de nuevo su transacción"
    ),
    "Nothing is paid yet: what was sent since the backup can't be read from {wallets}.": (
        "Todavía no se paga nada: de {wallets} no se puede leer lo que se envió desde el respaldo."
    ),
    "Each is asked again and again. How it answers: wallet test {wallet}": (
        "Se pregunta una y otra vez. Cómo responde: wallet test {wallet}"
    ),
    "If it never will: look into it yourself, say what you find, then: hold lift past REASON": (
        "Si nunca lo hará: mírela usted, diga lo que encuentra y después: hold lift past RAZÓN"
    ),
    "What you find: forgotten list": "Lo que encuentra: forgotten list",
    "Wallet {wallet} does not show all that it sent before, and is paid from all the same.": (
        "La billetera {wallet} no muestra todo lo que envió antes, y de ella se paga igual."
    ),
    "If these books were lost or put back, pause now: what they forgot may be paid again.": (
        "Si estos libros se perdieron o se restauraron, diga pause ahora: lo que olvidaron puede pagarse otra vez."
    ),
    "How it answers: wallet test {wallet}": "Cómo responde: wallet test {wallet}",
    "for {settlement}": "por {settlement}",
    "Where none fits, a deposit or a rule is missing: enter it again, then: settlement reset {settlement}, settlement "
    "retry {settlement}": (
        "Donde ninguno encaja falta un depósito o una regla: ingréselo otra vez y después: settlement reset "
        "{settlement}, settlement retry {settlement}"
    ),
    "What was sent since the backup was not read from {wallets}.": (
        "De {wallets} no se leyó lo que se envió desde el respaldo."
    ),
    "Somebody has to look at the books, then: resume": "Alguien tiene que mirar los libros, y después: resume",
    "What these books forgot, and what is to be done: forgotten list": (
        "Lo que estos libros olvidaron, y qué hacer: forgotten list"
    ),
    "You know that it paid this: the payment is followed up with it, and is not made again.": (
        "Usted sabe que pagó esto: el pago se sigue con él y no se hace otra vez."
    ),
    "This payment would count for nothing here. If it did pay what is owed, that is paid a second time:": (
        "Este pago ya no contaría aquí. Si sí pagó algo que se debe, eso se paga por segunda vez:"
    ),
    "…{end} stands in the way of nothing any more. The others: forgotten list": (
        "…{end} ya no detiene nada. Los demás: forgotten list"
    ),
    "hash_end must be the last 8 digits of the payment hash, or more": (
        "hash_end debe ser los últimos 8 dígitos del hash del pago, o más"
    ),
    "no forgotten payment, or more than one, ends in {end}: forgotten list": (
        "ningún pago olvidado, o más de uno, termina en {end}: forgotten list"
    ),
    "Payments that were sent and that the restored books do not know, and have not met their leg yet.": (
        "Los pagos que se enviaron, que los libros restaurados no conocen y que aún no encuentran lo que pagaron."
    ),
    "It stands in the way of no payment any more: you know that it paid nothing that is owed here.": (
        "Ya no detiene ningún pago: usted sabe que no pagó nada de lo que aquí se debe."
    ),
    "the last 8 digits of the payment hash: forgotten list has them": (
        "los últimos 8 dígitos del hash del pago: están en forgotten list"
    ),
    "the database is older than its witness: a backup was restored": (
        "la base de datos es más vieja que su testigo: se restauró un respaldo"
    ),
    "the database has no witness beside it: it may be a restored backup": (
        "la base de datos no tiene su testigo al lado: puede ser un respaldo restaurado"
    ),
    "the witness of the database is damaged: it may be a restored backup": (
        "el testigo de la base de datos está dañado: puede ser un respaldo restaurado"
    ),
    "the witness is older than the database: both may be restored backups": (
        "el testigo es más viejo que la base de datos: ambos pueden ser respaldos restaurados"
    ),
    "a wallet shows a payment of ours that the books don't know: they may be a restored backup": (
        "una billetera muestra un pago nuestro que los libros no conocen: pueden ser un respaldo restaurado"
    ),
    "a relay keeps messages of this bot that the books don't know: they may be a restored backup, or a second bot has "
    "its key": (
        "un relay guarda mensajes de este bot que los libros no conocen: pueden ser un respaldo restaurado, o un "
        "segundo bot tiene su llave"
    ),
    "a payment that these books forgot may be this one: forgotten list": (
        "un pago que estos libros olvidaron puede ser este: forgotten list"
    ),
    "the transaction was accepted before these books were begun: this may have been paid": (
        "la transacción se aceptó antes de que se empezaran estos libros: esto puede estar pagado"
    ),
    "{payment} and others like it wait: wallet {wallet} shows payments that are not in the books and may be these.": (
        "{payment} y otros como ese esperan: la billetera {wallet} muestra pagos que no están en los libros y pueden "
        "ser estos."
    ),
    "Say of each what it was: forgotten list": "Diga de cada uno qué fue: forgotten list",
    "{settlement} was accepted before these books were begun: what is owed for it may have been paid.": (
        "{settlement} se aceptó antes de que se empezaran estos libros: lo que se debe por ella puede estar pagado."
    ),
    "It is not paid until you have looked into the wallet: show {settlement}": (
        "No se paga hasta que usted haya mirado la billetera: show {settlement}"
    ),
    "To pay it: settlement retry {settlement}": "Para pagarla: settlement retry {settlement}",
}
