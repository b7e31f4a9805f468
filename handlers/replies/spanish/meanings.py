"""What orders do and what their parameters mean."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "on or off: an inactive machine's reports are refused": "on u off: lo que reporta un cajero inactivo se rechaza",
    "the next of the answer before": "el next de la respuesta anterior",
    "fiat, such as 2000.50": "efectivo, como 2000.50",
    "an applicant's id, such as A3": "el id de un solicitante, como A3",
    "older ones than this id": "los anteriores a este id",
    "part of the principal, such as 3% or 0.03": "parte del principal, como 3% o 0.03",
    "part of the principal, such as 5% or 0.05": "parte del principal, como 5% o 0.05",
    "the code that you were given": "el código que se le dio",
    "an order, or the first word of several": "una orden, o la primera palabra de varias",
    "how many notes are in it": "cuántos billetes tiene",
    "the most fiat in a day, or none": "lo más de efectivo por día, o none",
    "what one note is worth": "cuánto vale un billete",
    "a deposit's id, such as D7": "el id de un depósito, como D7",
    "sats for one unit of fiat": "sats por una unidad de efectivo",
    "the whole fee in sats": "toda la comisión en sats",
    "the machine's currency, such as GTQ": "la moneda del cajero, como GTQ",
    "fiat in or out, such as 2000.50": "efectivo que entró o salió, como 2000.50",
    "csv or json": "csv o json",
    "on or off": "on u off",
    "where to forward to": "a dónde reenviar",
    "the part that was dispensed, such as 40%": "la parte que se entregó, como 40%",
    "the last 8 digits of the payment hash: payment show has them": (
        "los últimos 8 dígitos del hash de pago: los muestra payment show"
    ),
    "en or es": "en o es",
    'shares joined by +: 60% ana@example.com "Ana" + 40% npub1… "Ops"': (
        'partes unidas con +: 60% ana@example.com "Ana" + 40% npub1… "Ops"'
    ),
    "how many, from 1 to 200": "cuántos, de 1 a 200",
    "where it stands": "dónde está",
    "an LP's name or key": "nombre o llave de un LP",
    "a machine's name or key": "nombre o llave de un cajero",
    "flow: with every cash-out; fixed: at fixed times": "flow: con cada retiro; fixed: a horas fijas",
    "a name, such as ana": "un nombre, como ana",
    "a remark, at most 2,000 characters": "una nota de hasta 2,000 caracteres",
    "on: you are told of every payment": "on: se le avisa de cada pago",
    "a public key, npub or hex": "una llave pública, npub o hex",
    "a payment's id, such as P40": "el id de un pago, como P40",
    "the hash of the payment; without it your word is the proof": "el hash del pago; sin él vale su palabra",
    "day, week or month": "day, week o month",
    "which bay, from 1": "cuál gaveta, desde 1",
    "the sats that were bought or sold": "los sats que se compraron o vendieron",
    "why, in your words": "por qué, en sus palabras",
    "how many sats": "cuántos sats",
    "a settlement's id, such as S12": "el id de una transacción, como S12",
    "from this date on, such as 2026-01-31": "desde esta fecha, como 2026-01-31",
    "only with this status": "solo con este estado",
    "a Lightning address, LNURL, npub or wallet connection": (
        "una dirección Lightning, LNURL, npub o conexión de billetera"
    ),
    "the remark, at most 2,000 characters": "la nota, de hasta 2,000 caracteres",
    "older than so many minutes": "con más de estos minutos",
    "cash_out or cash_in": "cash_out o cash_in",
    "only payments of this kind": "solo pagos de esta clase",
    "up to this date, which is not included": "hasta esta fecha, sin incluirla",
    "the name of a configured wallet": "el nombre de una billetera configurada",
    "machines, lps, deposits, settlements, payments, attempts, cash, journal, audit or trail": (
        "machines, lps, deposits, settlements, payments, attempts, cash, journal, audit o trail"
    ),
    "the sats that moved over Lightning": "los sats que se movieron por Lightning",
    "what it was done to: S12, P40, D7, a machine or an LP": "a qué se le hizo: S12, P40, D7, un cajero o un LP",
    "what was really counted, where it differs": "lo que de verdad se contó, si es distinto",
    "the LP's public key, its name here, or an applicant's id such as A3": (
        "la llave pública del LP, su nombre aquí o el id de un solicitante como A3"
    ),
    "active or paused": "active o paused",
    "fiat; without it all that remains": "efectivo; sin él todo lo que queda",
    "the wallet that pays; without it the machine's": "la billetera que paga; sin ella la del cajero",
    "a name, such as sintra": "un nombre, como sintra",
    "where the platform fee is paid; none for nowhere": (
        "a dónde se paga la comisión de la plataforma; none: a ninguna parte"
    ),
    "the principal that was dispensed, in sats": "el principal que se entregó, en sats",
    "how many sats; without it all that is left": "cuántos sats; sin esto todo lo que queda",
    "where the customer wants the sats, or an invoice": "a dónde quiere los sats el cliente, o una factura",
    "the wallets after this name": "las billeteras después de este nombre",
    "Who did what, the newest first: to one thing, or to everything.": (
        "Quién hizo qué, lo más nuevo primero: a una cosa o a todo."
    ),
    "The bays of a machine: denomination and count, as they are believed and as the machine reported them.": (
        "Las gavetas de un cajero: valor y cantidad, según los libros y según el cajero."
    ),
    "Changes denomination or count of a bay that is there: what you counted in it is believed from now on.": (
        "Cambia el valor o la cantidad de una gaveta que ya existe: desde ahora vale lo que usted contó."
    ),
    "Sends the machine what its bays are believed to hold; its next report shows whether it took that.": (
        "Le manda al cajero lo que se cree que hay en sus gavetas; su próximo reporte muestra si lo tomó."
    ),
    "What customers put into a machine since its box was emptied.": (
        "Lo que los clientes metieron en un cajero desde que se vació su caja."
    ),
    "You took the notes out of a machine's box. With the amount that you counted the difference is kept.": (
        "Usted sacó los billetes de la caja de un cajero. Con el monto que contó se guarda la diferencia."
    ),
    "Says how much a machine's box holds, so that you are told before it is full.": (
        "Dice cuánto cabe en la caja de un cajero, para avisarle antes de que se llene."
    ),
    "the bays that it fills and the notes in each, such as 1=50 2=25; or one bay": (
        "las gavetas que llena y los billetes en cada una, como 1=50 2=25; o una sola gaveta"
    ),
    "0, once you counted every bay: nothing is missing that nobody knows the bay of": (
        "0, cuando contó todas las gavetas: no falta nada que no se sepa de qué gaveta es"
    ),
    "what you counted": "lo que usted contó",
    "how much fiat it holds, or none": "cuánto efectivo cabe, o none",
    "Sats received and their cost in fiat, by day, week or month.": (
        "Sats recibidos y su costo en efectivo, por día, semana o mes."
    ),
    "Payments, the newest first.": "Pagos, los más nuevos primero.",
    "One payment: every attempt with the evidence about it, and what happens next.": (
        "Un pago: cada intento con lo que se sabe de él, y qué sigue."
    ),
    "Decides in the wallet's place that a payment in doubt will never arrive, so that it can be made again.": (
        "Decide, en lugar de la billetera, que un pago en duda no llegará nunca, para hacerlo otra vez."
    ),
    "Gives up a refund or an lp settle that is not paid; what it owed stays in the wallet.": (
        "Desiste de un refund o lp settle que no se ha pagado; lo que debía se queda en la billetera."
    ),
    "Takes one that is stuck out of its worker's hands: it becomes errored, so that it can be retried.": (
        "Destraba una que se quedó parada: pasa a con error y se puede reintentar."
    ),
    "The machine gave out only part of the cash: scales the transaction to that and shares it out anew.": (
        "El cajero entregó solo parte del efectivo: ajusta la transacción a eso y la reparte de nuevo."
    ),
    "Adds a note to a transaction, with the time and your name, or without a text shows them; none is ever changed.": (
        "Agrega una nota a una transacción, con la hora y su nombre, o sin texto las muestra; ninguna se cambia."
    ),
    "Pays the customer of a cash-out back, at most what came in; nothing more is shared out of it.": (
        "Le devuelve al cliente de un retiro, a lo más lo que entró; ya no se reparte nada más de él."
    ),
    "Enters a transaction that no machine reported; with its payment hash the wallet has to show the payment.": (
        "Anota una transacción que ningún cajero reportó; con su hash de pago la billetera debe mostrarlo."
    ),
    "Records fiat that an LP brings, in the machine's currency; it counts once it is confirmed.": (
        "Anota el efectivo que trae un LP, en la moneda del cajero; cuenta cuando se confirma."
    ),
    "Changes amount or note of a deposit that is still pending.": (
        "Cambia el monto o la nota de un depósito aún pendiente."
    ),
    "Strikes a pending deposit that never came.": "Borra un depósito pendiente que nunca llegó.",
    "The fiat is in the cassette: from now on it counts for the LP. With an amount: what was really counted.": (
        "El efectivo ya está en la gaveta: desde ahora cuenta para el LP. Con un monto: lo que de verdad se contó."
    ),
    "Deposits, the newest first.": "Depósitos, los más nuevos primero.",
    "Rows of the books as CSV or JSON, the oldest first; LPs get their own payments and deposits.": (
        "Filas de los libros en CSV o JSON, las más viejas primero; los LP reciben sus propios pagos y depósitos."
    ),
    "Says where your sats go. The first time it is used at once; a change waits and has to be confirmed.": (
        "Dice a dónde van sus sats. La primera vez vale enseguida; un cambio espera y se debe confirmar."
    ),
    "What you brought, what was paid, what remains, at each machine.": (
        "Lo que usted trajo, lo que se pagó y lo que queda, en cada cajero."
    ),
    "Your payments, the newest first.": "Sus pagos, los más nuevos primero.",
    "Nothing more is paid to this LP, until unfreeze. What is on its way can't be called back.": (
        "No se le paga más a este LP hasta unfreeze. Lo que va en camino no se puede detener."
    ),
    "Pays this LP again. An LP lifts only what it froze itself.": (
        "Le vuelve a pagar a este LP. Un LP solo levanta lo que congeló él mismo."
    ),
    "The orders that you may give; with one, its parameters and an example.": (
        "Las órdenes que usted puede dar; con una, sus parámetros y un ejemplo."
    ),
    "Your roles and your public key, as this bot sees you.": "Sus roles y su llave pública, como los ve este bot.",
    "Does the money order that waits for this code.": "Hace la orden de dinero que espera este código.",
    "Enrols an LP at a machine; the LP itself then says with join where its sats go.": (
        "Inscribe a un LP en un cajero; él mismo dice luego con unirse a dónde van sus sats."
    ),
    "Enrolments with their balances, the newest first.": "Inscripciones con su saldo, las más nuevas primero.",
    "One LP: whether it has joined, and what it has at each machine.": (
        "Un LP: si ya se unió y qué tiene en cada cajero."
    ),
    "Changes an LP's name, or pauses it at one machine: a paused LP gets no share of what comes.": (
        "Cambia el nombre de un LP o lo pone en pausa en un cajero: en pausa no recibe parte de lo que llega."
    ),
    "Takes back an enrolment that was never used, and the LP with its last one; others are paused instead.": (
        "Quita una inscripción que nunca se usó, y al LP con la última; las demás se ponen en pausa."
    ),
    "Who has joined and is not enrolled yet, the newest first.": (
        "Quién se unió y aún no está inscrito, los más nuevos primero."
    ),
    "Forgets an applicant, who is not told and may join again.": (
        "Olvida a un solicitante; no se le avisa y puede volver a unirse."
    ),
    "Registers an ATM by its Nostr key, with the wallet that it pays from and its fees.": (
        "Registra un cajero por su llave Nostr, con la billetera de la que paga y sus comisiones."
    ),
    "Changes what is given; what has landed before keeps its fees.": (
        "Cambia lo que usted dé; lo que ya llegó conserva sus comisiones."
    ),
    "Takes away a machine that was never used; one with records is deactivated instead.": (
        "Quita un cajero que nunca se usó; uno con registros se desactiva."
    ),
    "Every machine, the newest first.": "Todos los cajeros, los más nuevos primero.",
    "One machine, with what it last said and what it earned.": "Un cajero, con lo último que dijo y lo que ganó.",
    "Nothing more is paid, until resume. What is on its way can't be called back.": (
        "No se paga más hasta resume. Lo que va en camino no se puede detener."
    ),
    "Pays again; wallets that had stopped for lack of sats are tried again too.": (
        "Vuelve a pagar; también se prueban otra vez las billeteras paradas por falta de sats."
    ),
    "Pays an LP what is left of its fiat, or a part of it, at a rate that you state (sats for one unit of fiat).": (
        "Le paga a un LP lo que queda de su efectivo, o una parte, a la tasa que usted diga (sats por unidad)."
    ),
    "Pays the LPs in fixed mode now, each at most its daily limit, at the machine's last rate.": (
        "Les paga ahora a los LP en modo fijo, a cada uno a lo más su límite diario, a la última tasa del cajero."
    ),
    "The platform fee for each direction, and where it is paid.": (
        "La comisión de la plataforma en cada sentido, y a dónde se paga."
    ),
    "Sets the platform fee, checked against every active machine, and its target (`none` for no target).": (
        "Fija la comisión de la plataforma, revisada con cada cajero activo, y su destino (`none`: ninguno)."
    ),
    "What you have chosen: your language; as an LP also where your sats go, your mode, your messages.": (
        "Lo que usted eligió: su idioma; como LP también a dónde van sus sats, su modo y sus avisos."
    ),
    "Changes what is given: language; as an LP also target, mode, daily_limit, notify.": (
        "Cambia lo que usted dé: language; como LP también target, mode, daily_limit, notify."
    ),
    "Volume, fees, payments, costs and profit of this month, or of the time between since and until.": (
        "Volumen, comisiones, pagos, costos y ganancia de este mes, o de entre since y until."
    ),
    "Customer transactions, the newest first.": "Transacciones de clientes, las más nuevas primero.",
    "The story of one transaction: its proof, every payment with its attempts, notes, who did what.": (
        "La historia de una transacción: comprobante, cada pago con sus intentos, notas, quién hizo qué."
    ),
    "Plans the failed payments of an errored settlement again; what was paid is never paid again.": (
        "Planea otra vez los pagos fallidos de una transacción con error; lo pagado no se paga dos veces."
    ),
    "Sets who gets the operator fee: for one machine, or for every machine without a rule of its own.": (
        "Fija quién recibe la comisión del operador: en un cajero o en todos los que no tienen reparto propio."
    ),
    "The rule that is in force, and where it comes from.": "El reparto que vale, y de dónde viene.",
    "Takes a rule away: a machine's own, so that the default is in force there, or the default.": (
        "Quita un reparto: el propio de un cajero, y ahí vale el general, o el general."
    ),
    "The wallets: whether they are reached, what they have, what they offer.": (
        "Las billeteras: si hay conexión, qué tienen, qué ofrecen."
    ),
    "Asks a wallet for all that can be asked without paying, and says whether it is fit to pay from.": (
        "Le pregunta a una billetera todo lo que se puede sin pagar, y dice si sirve para pagar."
    ),
    "Holds the books against themselves and against the wallets' own lists. It may take minutes.": (
        "Compara los libros entre sí y con las listas de las billeteras. Puede tardar minutos."
    ),
    "How it runs: relays, wallets and balances, what is paused, what needs a person.": (
        "Cómo anda todo: relays, billeteras y saldos, qué está en pausa, qué requiere atención."
    ),
    "What did not settle cleanly and needs a person; with 0, everything that is unresolved.": (
        "Lo que no terminó bien y requiere atención; con 0, todo lo que está sin resolver."
    ),
}
