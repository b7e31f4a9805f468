"""Bays, boxes, and what a machine says of itself."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "{machine} has not reported its cassettes: confirm the deposit without bays": (
        "{machine} no ha reportado sus gavetas: confirme el depósito sin bays"
    ),
    "{field}: these notes come to {notes} {fiat} and the deposit is {amount} {fiat}": (
        "{field}: estos billetes suman {notes} {fiat} y el depósito es de {amount} {fiat}"
    ),
    "{field}: so many notes are in no bay": "{field}: tantos billetes no caben en ninguna gaveta",
    '{field}: notes of {denomination} do not make up the deposit: name the bays with their notes, such as bays="1=50 '
    '2=25"': (
        "{field}: con billetes de {denomination} no se llega al depósito: nombre las gavetas con sus billetes, por "
        'ejemplo bays="1=50 2=25"'
    ),
    "there is no bay {position}: known are {names}": "no hay gaveta {position}: se conocen {names}",
    '{field} must be a bay and its notes for each, such as bays="1=50 2=25", or one bay, such as bays=1': (
        '{field} debe nombrar cada gaveta con sus billetes, como bays="1=50 2=25", o una sola, como bays=1'
    ),
    "{field} names bay {position} twice": "{field} nombra dos veces la gaveta {position}",
    "{field} must be more than 0, or none": "{field} debe ser más de 0, o none",
    "{machine} has no bay {position}: it reported {names}": "{machine} no tiene gaveta {position}: reportó {names}",
    "{machine} has no bay in its last report: there is nothing to send until it reports them again": (
        "{machine} no tiene gavetas en su último reporte: no hay qué enviarle hasta que las reporte otra vez"
    ),
    "0: all bays are counted, and nothing is missing that nobody knows the bay of": (
        "0: todas las gavetas están contadas, y no falta nada que no se sepa de qué gaveta es"
    ),
    'bays with their notes, such as bays="1=50 2=25", or one bay, such as bays=1': (
        'gavetas con sus billetes, por ejemplo bays="1=50 2=25", o una sola, por ejemplo bays=1'
    ),
    "{machine} has cash on record in {fiat}: machine remove {machine}, then register it again": (
        "{machine} tiene efectivo anotado en {fiat}: machine remove {machine}, y luego regístrelo otra vez"
    ),
    "Its report of {time} says the same amount in other bays, since {since}": (
        "Su reporte de {time} da el mismo monto en otras gavetas, desde {since}"
    ),
    "Its report of {time} says the same.": "Su reporte de {time} dice lo mismo.",
    "Its report of {time} says {amount} less; different since {since}": (
        "Su reporte de {time} dice {amount} menos; distinto desde {since}"
    ),
    "Its report of {time} says {amount} more; different since {since}": (
        "Su reporte de {time} dice {amount} más; distinto desde {since}"
    ),
    "not in the machine's last report, since {time}": "no está en el último reporte del cajero, desde {time}",
    "reported {count}": "reportó {count}",
    "{amount} went out of no known bay. Count all, then with the last one: unplaced=0": (
        "{amount} salieron sin saber de qué gaveta. Cuente todas, y con la última: unplaced=0"
    ),
    "{amount} more must be there than the bays show.": "Debe haber {amount} más de lo que muestran las gavetas.",
    "LPs' deposits less what was dispensed: the same.": "Depósitos de los LP menos lo entregado: lo mismo.",
    "LPs' deposits less what was dispensed: {explained}; {amount} more is there, since {since}": (
        "Depósitos de los LP menos lo entregado: {explained}; hay {amount} más, desde {since}"
    ),
    "LPs' deposits less what was dispensed: {explained}; {amount} is missing, since {since}": (
        "Depósitos de los LP menos lo entregado: {explained}; faltan {amount}, desde {since}"
    ),
    "Box: {amount}": "Caja: {amount}",
    "Box: {amount} of {limit}": "Caja: {amount} de {limit}",
    "It took what was sent to it at {time}.": "Tomó lo que se le envió a las {time}.",
    "What was sent to it at {time} it has not taken yet.": "Todavía no ha tomado lo que se le envió a las {time}.",
    "{machine}: {amount} in its bays": "{machine}: {amount} en sus gavetas",
    "Emptied: {time}": "Vaciada: {time}",
    "To empty it: box empty {machine} AMOUNT": "Para vaciarla: box empty {machine} MONTO",
    "{amount} was in it.": "Había {amount}.",
    "{amount} was in it, just what you counted.": "Había {amount}, justo lo que usted contó.",
    "{amount} was to be in it, you counted {counted}: {less} less": (
        "Debía haber {amount}, usted contó {counted}: {less} menos"
    ),
    "{amount} was to be in it, you counted {counted}: {more} more": (
        "Debía haber {amount}, usted contó {counted}: {more} más"
    ),
    "To put one right: cassette set {machine} {position} count=…": (
        "Para corregir una: cassette set {machine} {position} count=…"
    ),
    "To tell the machine: cassette publish {machine}": "Para decírselo al cajero: cassette publish {machine}",
    "That is sent to the machine. Its next report shows if it took it.": (
        "Eso se le envía al cajero. Su próximo reporte muestra si lo tomó."
    ),
    "{days} days left": "alcanza {days} días",
    "Notes in the bays: {bays}": "Billetes en las gavetas: {bays}",
    "full": "lleno",
    "ok": "bien",
    "low": "bajo",
    "empty": "vacío",
    "cash {level}": "efectivo {level}",
    "It says: {what}": "Dice: {what}",
    "no cash-in": "sin ingreso",
    "no cash-out": "sin retiro",
    "limits {limits}": "límites {limits}",
    "telemetry {age} old": "telemetría de hace {age}",
    "its beacon says {fees}": "él anuncia {fees}",
    "Fees told to it: {fees}": "Comisiones que se le dijeron: {fees}",
    "It charges the fees that it was told: {fees}": "Cobra las comisiones que se le dijeron: {fees}",
    "It does not charge the fees that it was told: {fees}": "No cobra las comisiones que se le dijeron: {fees}",
    "cash-in {cash_in}, cash-out {cash_out}": "ingreso {cash_in}, retiro {cash_out}",
    "Cash: {amount}": "Efectivo: {amount}",
    "bays: {order}": "gavetas: {order}",
}
