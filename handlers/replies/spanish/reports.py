"""Reports, charts, exports and the audit log."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "All machines, {since} to {until} UTC:": "Todos los cajeros, {since} a {until} UTC:",
    "{machine}, {since} to {until} UTC:": "{machine}, {since} a {until} UTC:",
    "by day": "por día",
    "by week, from its Monday": "por semana, desde el lunes",
    "by month": "por mes",
    "Nobody did anything here.": "Nadie hizo nada aquí.",
    "No rows of {what} here.": "Aquí no hay filas de {what}.",
    "{name}: sats received {kind}": "{name}: sats recibidos {kind}",
    "All LPs: sats received {kind}": "Todos los LP: sats recibidos {kind}",
    "Cash-out: {count}, {amount}": "Retiros: {count}, {amount}",
    "Cash-in: {count}, {amount}": "Ingresos: {count}, {amount}",
    "Fees: platform {platform}, operator {operator}, mismatch {mismatch}": (
        "Comisiones: plataforma {platform}, operador {operator}, diferencia {mismatch}"
    ),
    "Paid to LPs: {amount}": "Pagado a los LP: {amount}",
    "Paid to partners: {partners}, to the platform: {platform}": (
        "Pagado a los socios: {partners}, a la plataforma: {platform}"
    ),
    "Refunded: {count}, {sats} paid back": "Reembolsos: {count}, {sats} devueltos",
    "Stayed in the wallet: {sats}": "Se quedó en la billetera: {sats}",
    "Routing cost: {sats}": "Costo de ruta: {sats}",
    "Profit: {sats} (operator fee and mismatch, less routing)": (
        "Ganancia: {sats} (comisión del operador y diferencia, menos ruta)"
    ),
    "Now: LPs have {remaining} left, {count} payments open ({sats}).": (
        "Ahora: a los LP les quedan {remaining}, {count} pagos abiertos ({sats})."
    ),
    "Other times: report since=2026-01-01 until=2026-02-01": "Otras fechas: report since=2026-01-01 until=2026-02-01",
    "Who did what:": "Quién hizo qué:",
    "In all: {sums}": "En total: {sums}",
    "Also: {orders}": "También: {orders}",
    "{rate} per {currency}, {cost} for 100,000": "{rate} por {currency}, {cost} por 100,000",
    "No sats were received yet.": "Todavía no se han recibido sats.",
    "What LPs get comes with each cash-out: deposits go first.": (
        "Lo que reciben los LP llega con cada retiro: primero van los depósitos."
    ),
}
