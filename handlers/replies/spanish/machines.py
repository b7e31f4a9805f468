"""Machines, wallets, split rules, the platform."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "wallet {wallet}": "billetera {wallet}",
    "Fees of the operator: cash-in {cash_in}, cash-out {cash_out}": (
        "Comisiones del operador: ingreso {cash_in}, retiro {cash_out}"
    ),
    "Settlements: {count}, principal {principal}, operator fee {fee}": (
        "Transacciones: {count}, principal {principal}, comisión del operador {fee}"
    ),
    "The operator fee at every machine without a rule of its own goes to:": (
        "La comisión del operador en los cajeros sin reparto propio va a:"
    ),
    "The operator fee at {machine} goes to:": "La comisión del operador en {machine} va a:",
    "Platform fee: cash-in {cash_in}, cash-out {cash_out}": (
        "Comisión de la plataforma: ingreso {cash_in}, retiro {cash_out}"
    ),
    "No machine yet. To register one: help machine add": "Todavía no hay cajeros. Para registrar uno: help machine add",
    "Machines:": "Cajeros:",
    "{share} to {label} ({target})": "{share} a {label} ({target})",
    "It replaces the rule that is there (shares: {count}).": "Reemplaza el reparto que hay (partes: {count}).",
    'No split rule is set: operator fees stay in the wallet. To set one: splits set 100% you@example.com "You"': (
        "No hay reparto: las comisiones del operador se quedan en la billetera. Para fijar uno: splits set "
        '100% usted@example.com "Usted"'
    ),
    "This is the default rule.": "Es el reparto general.",
    "Paid to {target}": "Se paga a {target}",
    "No target is set: platform fees stay in the wallets.": (
        "No hay destino: las comisiones de la plataforma se quedan en las billeteras."
    ),
    "Location: {place}": "Lugar: {place}",
    "Next, an LP: lp add {machine} npub1… NAME": "Sigue un LP: lp add {machine} npub1… NOMBRE",
    "Last heard: {time}": "Última señal: {time}",
    "Reports that never came: {numbers}": "Reportes que nunca llegaron: {numbers}",
    "{machine}: reports {numbers} of its count never came, though later ones did.": (
        "{machine}: los reportes {numbers} de su cuenta nunca llegaron, aunque otros posteriores sí."
    ),
    "If the machine can't send them again, look for payments without a settlement: worklist": (
        "Si el cajero no puede enviarlos otra vez, busque pagos sin transacción: pendientes"
    ),
    "To enter one: help settlement add": "Para anotar una: help settlement add",
    "Its transactions: {order}": "Sus transacciones: {order}",
    "{machine} is removed. Its wallet {wallet} is free.": "{machine} se quitó. Su billetera {wallet} queda libre.",
    "To register one: help machine add": "Para registrar uno: help machine add",
    "What it offers": "Lo que ofrece",
    "Balance": "Saldo",
    "Look-up of a payment nobody made": "Consulta de un pago que nadie hizo",
    "List of payments": "Lista de pagos",
    "paid by the books, and the wallet does not show it": "pagado según los libros, y la billetera no lo muestra",
    "another amount in the wallet than in the books": "otro monto en la billetera que en los libros",
    "a payment in the wallet that nothing explains": "un pago en la billetera que nada explica",
    "the wallet shows it paid, and the books had given it up": (
        "la billetera lo muestra pagado, y los libros lo habían dejado"
    ),
    "last heard {time}": "última señal {time}",
    "To try one: {order}": "Para probar una: {order}",
    "{what}: {error}": "{what}: {error}",
    "{name} (no machine)": "{name} (sin cajero)",
    "No wallet is configured.": "No hay billeteras configuradas.",
    "More: {order}": "Más: {order}",
    "Wallets:": "Billeteras:",
    "Wallet {wallet} is not fit to pay from: it does not offer {methods}. Nothing is paid from it. Allow "
    "that for the connection, in the wallet.": (
        "La billetera {wallet} no sirve para pagar: no ofrece {methods}. De ella no se paga nada. Permítalo "
        "para la conexión, en la billetera."
    ),
    "Nothing is paid from it now: {why}": "Ahora no se paga nada de ella: {why}",
    "Without a plain “not found” a payment that fails there waits for you instead of being tried again.": (
        "Sin un “not found” claro, un pago que falle ahí lo espera a usted en vez de intentarse otra vez."
    ),
    "{what}: well, {milliseconds} ms": "{what}: bien, {milliseconds} ms",
    "All that is known of each, on the host: satmachine tell --json reconcile": (
        "Todo lo que se sabe de cada una, en el servidor: satmachine tell --json reconcile"
    ),
    "the books: {name}": "los libros: {name}",
    "Wallet {wallet} answers as it should.": "La billetera {wallet} responde como debe.",
    "Wallet {wallet} answers, and not all is well:": "La billetera {wallet} responde, y no todo está bien:",
    "Encryption: {names}": "Cifrado: {names}",
    "No sat was moved. All wallets: wallet list": "No se movió ningún sat. Todas las billeteras: wallet list",
    "{count} differences.": "{count} diferencias.",
    "1 difference.": "1 diferencia.",
    "No difference in what could be compared, which is not everything.": (
        "Ninguna diferencia en lo que se pudo comparar, que no es todo."
    ),
    "No difference.": "Ninguna diferencia.",
    "Not compared: wallet {wallet}: {why}": "Sin comparar: billetera {wallet}: {why}",
    "Wallet {wallet} did not give its whole list.": "La billetera {wallet} no dio su lista completa.",
    "Wallet {wallet} has too little to pay {payment}: about {missing} are missing for what is owed. "
    "Nothing more is paid from it until it is filled. Nothing is lost: it goes on by itself then.": (
        "La billetera {wallet} tiene muy poco para pagar {payment}: faltan unos {missing} para lo que se "
        "debe. No se paga más de ella hasta que la llene. No se pierde nada: luego sigue sola."
    ),
    "Wallet {wallet} refused {payment}: the connection's budget is used up. Nothing more is paid from "
    "it. Raise the budget in the wallet, then send: resume": (
        "La billetera {wallet} rechazó {payment}: se acabó el presupuesto de la conexión. No se paga más de "
        "ella. Suba el presupuesto en la billetera y escriba: resume"
    ),
    "Wallet {wallet} refused {payment}: the connection may not pay any more (revoked or restricted). "
    "Allow it again in the wallet; it goes on by itself then, or send: resume": (
        "La billetera {wallet} rechazó {payment}: la conexión ya no puede pagar (revocada o restringida). "
        "Permítala otra vez en la billetera; luego sigue sola, o escriba: resume"
    ),
    "Wallet {wallet} asks us to slow down: payments from it wait a little and go on by themselves.": (
        "La billetera {wallet} pide ir más despacio: sus pagos esperan un poco y siguen solos."
    ),
    "Wallet {wallet} has {sats}: payments from it go on.": "La billetera {wallet} tiene {sats}: sus pagos siguen.",
    "Operator fees stay in the wallet, for no rule is in force: {machines}": (
        "Las comisiones del operador se quedan en la billetera, no vale ningún reparto: {machines}"
    ),
    "{machine} has no rule of its own now.": "{machine} ya no tiene reparto propio.",
    "No default is set now.": "Ya no hay reparto general.",
    "To set one: {order}": "Para fijar uno: {order}",
    "Compared settlements: {settlements}, payments: {payments}, wallets: {wallets}, what they list: {listed}.": (
        "Comparado: transacciones: {settlements}, pagos: {payments}, billeteras: {wallets}, lo que listan: {listed}."
    ),
    "Payments without a settlement, on the worklist: {count}": "Pagos sin transacción, en pendientes: {count}",
    "One of them: machine show NAME": "Uno de ellos: machine show NOMBRE",
}
