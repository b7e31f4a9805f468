"""The words in Spanish: English template to Spanish one, the same placeholders in both.

As it is read on a phone in Guatemala: usted, short, plain. One word stands for one thing:

| English | Spanish |
|---|---|
| machine | cajero |
| LP | LP |
| to enrol, to join | inscribir, unirse |
| applicant | solicitante |
| alarm, to silence it | alarma, silenciarla |
| deposit | depósito |
| balance, what is left | saldo, quedan |
| settlement | transacción |
| cash-in, cash-out | ingreso, retiro |
| fiat | efectivo |
| to share out, to scale, to reset | repartir, ajustar, destrabar |
| payment, payout | pago |
| attempt, to release one | intento, liberar |
| proof | comprobante |
| invoice | factura |
| wallet, wallet connection | billetera, conexión de billetera |
| target, its cool-down | destino, espera |
| split rule, share | reparto, parte |
| fee | comisión |
| principal | principal |
| to freeze, to pause, to resume | congelar, pausar, reanudar |
| refund | reembolso |
| public key | llave pública |
| bay, cassette | gaveta |
| box | caja |
| note (money) | billete |
| worklist | pendientes |
| order | orden |
| code | código |
| audit log | bitácora |
| report of a machine; `report` | reporte, reportar; informe |
| books, host | libros, servidor |
| message, notice | mensaje, aviso |

What is typed (orders, names of parameters, values such as `status=errored`) stays English, and so do sats and relays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handlers.replies.spanish import (
    alarms,
    cash,
    general,
    holding,
    lps,
    machines,
    meanings,
    names,
    past,
    payments,
    refusals,
    reports,
    settlements,
    targets,
    wallets,
)

FIRST_WORDS: Final = frozenset(
    "alarmas ayuda confirmar estado historial hola idioma pendientes resumen saldo unirse".split()
)
PARTS: Final = (
    alarms,
    cash,
    general,
    names,
    holding,
    lps,
    machines,
    past,
    payments,
    settlements,
    reports,
    refusals,
    targets,
    wallets,
    meanings,
)
CATALOGUE: Final[Mapping[str, str]] = {english: spanish for part in PARTS for english, spanish in part.TEXTS.items()}
