"""What kind of wallet it is, whether it may be paid from, and what waits for one that is not there."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "LNbits": "LNbits",
    "something like LNbits": "algo parecido a LNbits",
    "Alby Hub with its own node": "Alby Hub con su propio nodo",
    "Alby Hub with a node that does not tell what it is": "Alby Hub con un nodo que no dice qué es",
    "none of the wallets that I know": "ninguna de las billeteras que conozco",
    "Profile: {profile}. What it is can't be told now.": "Perfil: {profile}. Ahora no se puede saber qué es.",
    "Profile: {profile}. It looks like {looks}.": "Perfil: {profile}. Parece ser: {looks}.",
    "Profile: {profile}, by the configuration. It looks like {looks} ({found}).": (
        "Perfil: {profile}, según la configuración. Parece ser: {looks} ({found})."
    ),
    "It shows no proof of what it pays: each payment then waits for you.": (
        "No muestra prueba de lo que paga: cada pago espera entonces por usted."
    ),
    "it does not offer what is needed to follow payments up": "no ofrece lo necesario para dar seguimiento a los pagos",
    "its connection is not in the configuration": "su conexión no está en la configuración",
    "Nothing is paid from wallet {wallet}: it does not offer {methods}, so nobody could find out what became of a "
    "payment. Allow that for the connection, in the wallet; it goes on by itself then.": (
        "De la billetera {wallet} no se paga nada: no ofrece {methods}, y nadie podría averiguar qué pasó con un pago. "
        "Permítalo para la conexión, en la billetera; luego sigue sola."
    ),
    "Wallet {wallet} offers all that is needed now: payments from it go on.": (
        "La billetera {wallet} ya ofrece todo lo necesario: sus pagos siguen."
    ),
    "The connection of wallet {wallet} is no longer in the configuration, and something of it is open.": (
        "La conexión de la billetera {wallet} ya no está en la configuración, y algo de ella sigue abierto."
    ),
    "payments: {count}": "pagos: {count}",
    "of them in doubt: {count}": "de ellos en duda: {count}",
    "settlements not proven: {count}": "transacciones sin probar: {count}",
    "Nobody pays it or asks what became of it. Put the connection back until it is done. See what it is: worklist": (
        "Nadie lo paga ni pregunta qué pasó. Vuelva a poner la conexión hasta que termine. Para ver qué es: pendientes"
    ),
    "It waits: wallet {wallet} is not in the configuration, so nobody pays or asks. Put its connection back.": (
        "Espera: la billetera {wallet} no está en la configuración, y nadie paga ni pregunta. "
        "Vuelva a poner su conexión."
    ),
    "wallet {wallet} is not in the configuration: put its connection back": (
        "la billetera {wallet} no está en la configuración: vuelva a poner su conexión"
    ),
    "Paid a second time: {sats}, of which the payee's next payments have yet to set off {open}.": (
        "Pagado por segunda vez: {sats}, de los que los próximos pagos al destino aún deben compensar {open}."
    ),
    "Wallet {wallet} pays {sats} to itself. The sat stays in it; a routing fee may be lost.": (
        "La billetera {wallet} se paga {sats} a sí misma. El sat queda en ella; puede costar una comisión de ruta."
    ),
    "it did not answer in time": "no respondió a tiempo",
    "Wallet {wallet} did not pay itself: {why}": "La billetera {wallet} no se pagó a sí misma: {why}",
    "If it still does, its list explains it: nothing needs to be done. See: wallet test {wallet}": (
        "Si todavía lo hace, su lista lo explica: no hay que hacer nada. Vea: wallet test {wallet}"
    ),
    "fee not told": "comisión no indicada",
    "fee {sats}": "comisión {sats}",
    "Its list names what each payment is for.": "Su lista dice para qué es cada pago.",
    "Its list does not name what a payment is for.": "Su lista no dice para qué es un pago.",
    "Wallet {wallet} paid {sats} to itself": "La billetera {wallet} se pagó {sats} a sí misma",
    "{milliseconds} ms": "{milliseconds} ms",
    "Proof of payment: given": "Prueba de pago: dada",
    "Proof of payment: none. Each payment from it then waits for you.": (
        "Prueba de pago: ninguna. Cada pago de ella espera entonces por usted."
    ),
    "What else it can do: wallet test {wallet}": "Qué más puede hacer: wallet test {wallet}",
    "wallet {wallet} gave an invoice that was seen before": "la billetera {wallet} dio una factura ya vista",
    "it does not offer {methods}": "no ofrece {methods}",
    "its invoice is for another amount": "su factura es por otro monto",
    "nothing is paid now: say status": "ahora no se paga nada: escriba estado",
    "nothing is paid from wallet {wallet} now: say status": (
        "de la billetera {wallet} no se paga nada ahora: escriba estado"
    ),
    "wallet {wallet} can't be tried like that: {why}. Nothing was paid": (
        "la billetera {wallet} no se puede probar así: {why}. No se pagó nada"
    ),
    "Has a wallet pay one sat to itself, which shows whether it pays and gives proof; it may cost a routing fee.": (
        "Hace que una billetera se pague un sat a sí misma: muestra si paga y da prueba; puede costar una comisión."
    ),
    "this payment tried a wallet: no customer made it": "este pago probó una billetera: no lo hizo un cliente",
    "its wallet has not said what became of it": "su billetera no ha dicho qué pasó con él",
    "its wallet says paid, without proof": "su billetera dice pagado, sin prueba",
    "its wallet can't pay now": "su billetera no puede pagar ahora",
    "payments to it are stopped": "los pagos a este destino están detenidos",
}
