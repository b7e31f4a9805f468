"""Alarms, thresholds, the digest."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # --- headlines
    "{machine} has been silent since {time} UTC": "{machine} no da señales desde {time} UTC",
    "{machine} says that it is out of cash": "{machine} dice que no le queda efectivo",
    "{machine} says that its cash is low": "{machine} dice que le queda poco efectivo",
    "{machine}: bay {position} ({note}) is empty": "{machine}: la gaveta {position} ({note}) está vacía",
    "{machine}: bay {position} ({note}) is low, notes left: {count}": (
        "{machine}: a la gaveta {position} ({note}) le queda poco, billetes: {count}"
    ),
    "{machine}: the box for cash-in is nearly full, {amount} of {limit}": (
        "{machine}: la caja de ingresos está casi llena, {amount} de {limit}"
    ),
    "{machine}: {amount} of cash less than deposits explain, since {time} UTC": (
        "{machine}: {amount} de efectivo menos de lo que explican los depósitos, desde {time} UTC"
    ),
    "{machine}: {amount} of cash more than deposits explain, since {time} UTC": (
        "{machine}: {amount} de efectivo más de lo que explican los depósitos, desde {time} UTC"
    ),
    "{machine} charges other fees than those that are set": "{machine} cobra otras comisiones que las fijadas",
    "{machine}: some of its reports never came": "{machine}: algunos de sus reportes nunca llegaron",
    "Wallet {wallet} is stopped: {why}": "La billetera {wallet} está detenida: {why}",
    "Wallet {wallet} has never answered": "La billetera {wallet} nunca ha respondido",
    "Wallet {wallet} has not answered since {time} UTC": "La billetera {wallet} no responde desde {time} UTC",
    "Wallet {wallet} is low: {sats}": "A la billetera {wallet} le queda poco: {sats}",
    "Wallet {wallet} shows payments that are not in the books": (
        "La billetera {wallet} muestra pagos que no están en los libros"
    ),
    "Wallet {wallet} is at a cap of {sats}": "La billetera {wallet} llegó a un límite de {sats}",
    "{payment} is in doubt: {sats}, sent at {time} UTC from {wallet}": (
        "{payment} está en duda: {sats}, enviado a las {time} UTC desde {wallet}"
    ),
    "{settlement} at {machine} is stuck since {time} UTC": "{settlement} en {machine} está trabada desde {time} UTC",
    "{settlement} at {machine} is not proven since {time} UTC": (
        "{settlement} en {machine} está sin comprobar desde {time} UTC"
    ),
    "{deposit}: {amount} of {lp} at {machine} is not confirmed since {date}": (
        "{deposit}: {amount} de {lp} en {machine} está sin confirmar desde {date}"
    ),
    "Relay {relay} is down since {time} UTC": "El relay {relay} está caído desde {time} UTC",
    "Relay {relay} delivers nothing": "El relay {relay} no entrega nada",
    "No relay is heard since {time} UTC: nothing new is paid": (
        "No se oye ningún relay desde {time} UTC: no se paga nada nuevo"
    ),
    "The clock of my server is behind": "El reloj de mi servidor está atrasado",
    "The clock of my server is ahead": "El reloj de mi servidor está adelantado",
    "The disk of my server is nearly full: less than {least} MB are free": (
        "El disco de mi servidor está casi lleno: quedan menos de {least} MB"
    ),
    "Books and wallets differ, in points: {count}": "Los libros y las billeteras difieren, en puntos: {count}",
    "The books don't hold": "Los libros no cuadran",
    "The database is from the past": "La base de datos es del pasado",
    "The books are not checked yet": "Los libros aún no se comprobaron",
    "Something is wrong, and by a fault of mine I can't say what ({wording}). Look: status": (
        "Algo anda mal, y por una falla mía no puedo decir qué ({wording}). Mire: estado"
    ),
    # --- what to do
    "Look at it before anything else: status": "Revíselo antes que nada: estado",
    "How far it is: forgotten list": "Cómo va: forgotten list",
    "Look at the server's network and at the relays. It goes on by itself.": (
        "Revise la red del servidor y los relays. Sigue por sí solo."
    ),
    "Have the server's clock set, by NTP: with a wrong one nothing in doubt is given up.": (
        "Haga poner en hora el servidor, por NTP: con mala hora no se abandona nada que esté en duda."
    ),
    "Make room there: a full disk stops me.": "Haga espacio: con el disco lleno me detengo.",
    "Fill it: it goes on by itself then.": "Cárguela: entonces sigue por sí sola.",
    "Raise the budget in the wallet, then send: resume": ("Suba el presupuesto en la billetera y luego envíe: resume"),
    "Allow it again in the wallet, then send: resume": "Permítalo otra vez en la billetera y luego envíe: resume",
    "It goes on by itself.": "Sigue por sí sola.",
    "Allow what is missing for the connection, in the wallet: wallet list": (
        "Permita en la billetera lo que le falta a la conexión: wallet list"
    ),
    "Put the connection back until all is done: worklist": (
        "Vuelva a poner la conexión hasta terminar todo: pendientes"
    ),
    "See whether it runs and its relay is up: wallet test NAME": (
        "Vea si funciona y si su relay está activo: wallet test NOMBRE"
    ),
    "Fill it before it is empty: then nothing more is paid.": (
        "Cárguela antes de que se vacíe: entonces ya no se paga nada."
    ),
    "It is asked about on and on, and never paid twice. What is known: show P12": (
        "Se sigue preguntando por él, y nunca se paga dos veces. Qué se sabe: show P12"
    ),
    "What it waits for: worklist": "Qué espera: pendientes",
    "The wallet does not show the customer's payment. Look at it: worklist": (
        "La billetera no muestra el pago del cliente. Revíselo: pendientes"
    ),
    "Refill it, and record that: cassette list": "Rellénela y anótelo: cassette list",
    "Empty it, and record that: box empty NAME AMOUNT": "Vacíela y anótelo: box empty NOMBRE MONTO",
    "Count it, and record what is there: cassette list": "Cuéntelo y anote lo que hay: cassette list",
    "See whether it has power and a network.": "Vea si tiene corriente y red.",
    "See what it uses, or have it started again: machine show NAME": (
        "Vea cuáles usa, o haga que lo reinicien: machine show NOMBRE"
    ),
    "Which, and what to do: machine show NAME": "Cuáles, y qué hacer: machine show NOMBRE",
    "Count it, then: deposit confirm D12. If it never came: deposit delete D12": (
        "Cuéntelo y luego: deposit confirm D12. Si nunca llegó: deposit delete D12"
    ),
    # --- messages
    "To be left in peace for a day: alarm silence {id}": "Para no oírla por un día: alarm silence {id}",
    "and {count} more: alarms": "y {count} más: alarmas",
    "Alarms: {kinds}.": "Alarmas: {kinds}.",
    "Still: {headline}.": "Sigue: {headline}.",
    "Still wrong: {kinds}.": "Siguen: {kinds}.",
    "Over: {headline}.": "Terminó: {headline}.",
    "Over: {kinds}.": "Terminaron: {kinds}.",
    # --- orders
    "silenced until it is over": "silenciada hasta que termine",
    "silenced until {time}": "silenciada hasta {time}",
    "reminders: {count}": "recordatorios: {count}",
    "noticed {time}": "notado {time}",
    "No alarm: nothing is wrong that I know of.": "Ninguna alarma: que yo sepa, todo está bien.",
    "Alarms:": "Alarmas:",
    "It is not silenced any more.": "Ya no está silenciada.",
    "No reminders: {state}. When it is over you hear of it.": "Sin recordatorios: {state}. Cuando termine se le avisa.",
    "{name}=0 (never)": "{name}=0 (nunca)",
    "as the configuration says": "como dice la configuración",
    "For all machines: {thresholds}": "Para todos los cajeros: {thresholds}",
    "To change it for one: threshold set MACHINE silent_minutes=120": (
        "Para cambiarlo en uno: threshold set CAJERO silent_minutes=120"
    ),
    "Alarms that are open: {count}. Say alarms.": "Alarmas abiertas: {count}. Escriba alarmas.",
    # --- the digest
    "Alarms: {kinds}. Say alarms.": "Alarmas: {kinds}. Escriba alarmas.",
    "No alarm is open.": "Ninguna alarma abierta.",
    "{date}:": "{date}:",
    "Cash-out: {volume}": "Retiros: {volume}",
    "Cash-in: {volume}": "Ingresos: {volume}",
    "Fees: operator {operator}, platform {platform}": "Comisiones: operador {operator}, plataforma {platform}",
    "Cash now: {cash}": "Efectivo ahora: {cash}",
    "Wallets now: {wallets}": "Billeteras ahora: {wallets}",
    "unknown": "desconocido",
    # --- kinds
    "books that don't hold": "libros que no cuadran",
    "database from the past": "base de datos del pasado",
    "books not checked": "libros sin comprobar",
    "no relay heard": "sin relay",
    "wrong clock": "reloj equivocado",
    "disk nearly full": "disco casi lleno",
    "books and wallets differ": "libros y billeteras difieren",
    "wallet stopped: too few sats": "billetera detenida: pocos sats",
    "wallet stopped: budget used up": "billetera detenida: presupuesto agotado",
    "wallet stopped: it may not pay": "billetera detenida: no puede pagar",
    "wallet slowed down": "billetera más lenta",
    "wallet stopped: it can't be followed up": "billetera detenida: no se puede dar seguimiento",
    "wallet not in the configuration": "billetera fuera de la configuración",
    "wallet without an answer": "billetera sin respuesta",
    "wallet low": "billetera con poco",
    "payments not in the books": "pagos fuera de los libros",
    "cap of a day reached": "límite de un día alcanzado",
    "cap of an hour reached": "límite de una hora alcanzado",
    "cap on the way reached": "límite en camino alcanzado",
    "payment in doubt": "pago en duda",
    "transaction stuck": "transacción trabada",
    "transaction not proven": "transacción sin comprobar",
    "cash low": "poco efectivo",
    "box nearly full": "caja casi llena",
    "cash unexplained": "efectivo sin explicar",
    "machine silent": "cajero en silencio",
    "other fees than set": "otras comisiones",
    "reports missing": "reportes que faltan",
    "deposit not confirmed": "depósito sin confirmar",
    "relay down": "relay caído",
    "relay delivers nothing": "relay que no entrega",
    # --- refusals, help
    "{field} must be a whole number, 0 for never, or default": (
        "{field} debe ser un número entero, 0 para nunca, o default"
    ),
    "nothing to change is named, for example: threshold set sintra silent_minutes=240": (
        "no dice qué cambiar, por ejemplo: threshold set sintra silent_minutes=240"
    ),
    "there is no alarm N{id}: alarm list": "no hay alarma N{id}: alarm list",
    "N{id} is over: alarm list": "N{id} ya terminó: alarm list",
    "an alarm's id, such as N3": "el id de una alarma, como N3",
    "so many notes in a bay are few; 0 never, default as everywhere": (
        "con tantos billetes una gaveta tiene pocos; 0 nunca, default como en todos"
    ),
    "how long, such as 24; 0 ends it": "cuánto tiempo, como 24; 0 lo termina",
    "without a word for so long it is silent; 0 never, default as everywhere": (
        "sin decir nada tanto tiempo está en silencio; 0 nunca, default como en todos"
    ),
    "with less its wallet is low; 0 never, default as everywhere": (
        "con menos, a su billetera le queda poco; 0 nunca, default como en todos"
    ),
    "cleared: for as long as it lasts": "cleared: mientras dure",
    "What is wrong now and since when, the newest first.": "Qué anda mal ahora y desde cuándo, lo más nuevo primero.",
    "No reminders of an alarm for some hours, or until it is over; hours=0 ends that. Its end is told all the same.": (
        "Sin recordatorios de una alarma por unas horas, o hasta que termine; hours=0 lo quita. Su fin se avisa igual."
    ),
    "From when on something of one machine is wrong, where that is not the configuration's word.": (
        "Desde cuándo algo de un cajero anda mal, si no es como dice la configuración."
    ),
    "From when on something is wrong: the configuration's word, and machines that have their own.": (
        "Desde cuándo algo anda mal: lo que dice la configuración y los cajeros que tienen lo suyo."
    ),
    "Yesterday, what lies in machines and wallets, and what is wrong: as it is sent once a day.": (
        "Ayer, lo que hay en cajeros y billeteras, y lo que anda mal: como se envía una vez al día."
    ),
}
