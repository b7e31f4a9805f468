"""Settlements, corrections, the worklist, and the reasons that the books keep."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "{id} {direction} {sats} at {machine}, {status}": "{id} {direction} {sats} en {machine}, {status}",
    "Proven: the wallet shows the payment": "Comprobada: la billetera muestra el pago",
    "Accepted without proof: the wallet can't be asked": (
        "Aceptada sin comprobante: no se le puede preguntar a la billetera"
    ),
    "Entered by hand, on the operator's word": "Anotada a mano, por palabra del operador",
    "Not proven": "Sin comprobar",
    "{bucket}: {id} {machine}, {sats}, {why}": "{bucket}: {id} {machine}, {sats}, {why}",
    "No settlement here.": "Aquí no hay transacciones.",
    "Settlements:": "Transacciones:",
    "{fiat} at {rate} sats: principal {principal}, fee {fee}": (
        "{fiat} a {rate} sats: principal {principal}, comisión {fee}"
    ),
    "asked {time}": "consultada {time}",
    "{id} is {status} again, open payments: {count}.": "{id} está {status} otra vez, pagos abiertos: {count}.",
    "To look at: {count}": "Por revisar: {count}",
    "Platform {sats}": "Plataforma {sats}",
    "operator {sats}": "operador {sats}",
    "Note of {time}: {text}": "Nota de {time}: {text}",
    "To pay what failed: retry {id}": "Para pagar lo que falló: retry {id}",
    "mismatch {sats} sats": "diferencia {sats} sats",
    "{id} is {status}.": "{id} está {status}.",
    "Not to be paid any more: {payments}": "Ya no se pagan: {payments}",
    "{fiat}: principal {principal}, platform {platform}, operator {operator}": (
        "{fiat}: principal {principal}, plataforma {platform}, operador {operator}"
    ),
    "There is no payment hash: no wallet can prove it, your word alone makes it count.": (
        "No hay hash de pago: ninguna billetera lo puede comprobar, vale solo por su palabra."
    ),
    "It counts as soon as the wallet shows the payment …{end}.": (
        "Cuenta en cuanto la billetera muestre el pago …{end}."
    ),
    "Left out: {name}, {why}": "Queda fuera: {name}, {why}",
    "{name} gets {sats} for {fiat} at {machine}, at {rate} sats for one {currency}.": (
        "{name} recibe {sats} por {fiat} en {machine}, a {rate} sats por {currency}."
    ),
    "To share it out and pay it again: retry {id}": "Para repartirla y pagarla otra vez: retry {id}",
    "{settlement} at {machine} is scaled to what was dispensed.": (
        "{settlement} en {machine} se ajusta a lo que se entregó."
    ),
    "Now: {amounts}": "Ahora: {amounts}",
    "Then: {amounts}": "Después: {amounts}",
    "{sats} are the customer's: they stay in the wallet.": "{sats} son del cliente: se quedan en la billetera.",
    "It is shared out anew at once. To see how it goes: show {id}": (
        "Se reparte de nuevo enseguida. Para ver cómo va: show {id}"
    ),
    "Notes of {id}:": "Notas de {id}:",
    "{id} has no notes.": "{id} no tiene notas.",
    "{time}: {text}": "{time}: {text}",
    "The customer of {settlement} gets {sats} back, from wallet {wallet}, paid to {target}.": (
        "Al cliente de {settlement} se le devuelven {sats}, de la billetera {wallet}, a {target}."
    ),
    "Nothing more of {settlement} is shared out.": "De {settlement} ya no se reparte nada.",
    "To see how it goes: show {id}": "Para ver cómo va: show {id}",
    "A {direction} of {sats} at {machine} is entered by hand.": (
        "Se anota a mano un {direction} de {sats} en {machine}."
    ),
    "From wallet {wallet}, paid to {target}.": "De la billetera {wallet}, a {target}.",
    "{fiat} are left after that.": "Después quedan {fiat}.",
    "To see how it goes: payment list": "Para ver cómo va: payment list",
    "The attempt …{end} from wallet {wallet} is given up, and the payment is made again.": (
        "Se deja el intento …{end} de la billetera {wallet}, y el pago se hace otra vez."
    ),
    "The wallet's last word about it: {word}": "Lo último que dijo la billetera: {word}",
    "If the wallet paid it after all, {label} is paid twice, at your cost.": (
        "Si la billetera sí lo pagó, {label} cobra dos veces, a costa de usted."
    ),
    "The attempt …{end} is given up.": "Se dejó el intento …{end}.",
    "Its sats stay in the wallet.": "Sus sats se quedan en la billetera.",
    "{sats} could still be refunded after that.": "Después aún se podrían devolver {sats}.",
    "The fee differs by {sats} sats from the fees that are set.": "La comisión difiere {sats} sats de las fijadas.",
    "That is all that is left: the amount was more.": "Eso es todo lo que queda: el monto era mayor.",
    "It takes the place of {payments}, which failed.": "Toma el lugar de {payments}, que falló.",
    "Its invoice can be paid until {time} UTC: better wait until then.": (
        "Su factura se puede pagar hasta {time} UTC: mejor espere hasta entonces."
    ),
    "the platform has no target": "la plataforma no tiene destino",
    "no split rule is set": "no hay reparto",
    "the LPs' balances are used up": "se acabaron los saldos de los LP",
    "no LP with a balance is there": "no hay ningún LP con saldo",
    "replaced by a retry": "reemplazado por un reintento",
    "replaced by another payout": "reemplazado por otro pago",
    "scaled to what was dispensed": "ajustado a lo que se entregó",
    "the customer is refunded": "se le devolvió al cliente",
    "given up by the operator": "el operador desistió",
    "over the cap of {most} sats for one leg": "pasa del límite de {most} sats por pago",
    "the wallet claims that it paid this before, by a payment that was given up": (
        "la billetera afirma que ya lo pagó antes, con un pago del que se desistió"
    ),
    "over the cap of {most} sats a day": "pasa del límite de {most} sats por día",
    "the payee gave an invoice that was seen before": "el beneficiario dio una factura ya vista",
    "the invoice came too near its expiry before it could be sent": "la factura estaba por vencer antes de enviarse",
    "an attempt ended unpaid": "un intento terminó sin pagar",
    "an attempt was released by the operator": "el operador liberó un intento",
    "a fault of this program: its log says more": "un fallo de este programa: su registro dice más",
    "{target} is the address of a wallet that we pay from: a payment to ourselves": (
        "{target} es la dirección de una billetera nuestra: sería un pago a nosotros mismos"
    ),
    "payment hash {end} came again with other amounts": "el hash de pago {end} llegó otra vez con otros montos",
    "this payment is settlement S{id} of another machine": "este pago es la transacción S{id} de otro cajero",
    "this payment is our own, from before a restore: no customer made it": (
        "este pago es nuestro, de antes de restaurar una copia: no lo hizo un cliente"
    ),
    "this payment is our own, of P{id}: no customer made it": "este pago es nuestro, de P{id}: no lo hizo un cliente",
    "this payment is our own, P{id}: no customer made it": "este pago es nuestro, P{id}: no lo hizo un cliente",
    "this payment lies in wallet {wallet}, not in the machine's own": (
        "este pago está en la billetera {wallet}, no en la del cajero"
    ),
    "the wallet's record names another sender": "el registro de la billetera nombra a otro remitente",
    "the wallet has it with {found} msat, reported were {reported} msat": (
        "la billetera lo tiene con {found} msat y se reportaron {reported} msat"
    ),
    "in the wallet this payment is {direction}": "en la billetera este pago es {direction}",
    "a payment failed: look at it, then retry": "falló un pago: revíselo y luego retry",
    "the machine's wallet has not shown the payment": "la billetera del cajero no ha mostrado el pago",
    "waits to be shared out": "espera el reparto",
    "scaled down, waits to be shared out": "reducida, espera el reparto",
    "a payment of it is open": "tiene un pago abierto",
    "{direction} payment that no settlement explains": "pago {direction} que ninguna transacción explica",
    "customer of S{id}": "cliente de S{id}",
    "Reported {said}, arrived {time} UTC, event …{end}.": "Reportada {said}, llegó {time} UTC, evento …{end}.",
    "Entered {time} UTC, order …{end}.": "Anotada {time} UTC, orden …{end}.",
    "Arrived {time} UTC, event …{end}.": "Llegó {time} UTC, evento …{end}.",
    "next {time}": "la próxima {time}",
    "It came with {sats} for {fiat}, and was scaled since.": "Llegó con {sats} por {fiat}, y después se ajustó.",
    "Processed {time} UTC.": "Procesada {time} UTC.",
}
