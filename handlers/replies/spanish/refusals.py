"""Why something is not done, and the way out."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "Not done: {why}": "No se hizo: {why}",
    "{why}": "{why}",
    "this payment is settlement S{id} already, {status}: settlement show S{id}": (
        "este pago ya es la transacción S{id}, {status}: settlement show S{id}"
    ),
    "the fee differs by {off:+,} sats from the fees that are set": (
        "la comisión difiere {off:+,} sats de las comisiones fijadas"
    ),
    "{currency} reported, the machine's currency is {fiat}": "se reportó {currency} y la moneda del cajero es {fiat}",
    "machine {machine} is deactivated": "el cajero {machine} está desactivado",
    "more sats than there are": "más sats de los que existen",
    "more fiat than is taken": "más efectivo del que se acepta",
    "wire is not principal plus fee for cash_out": "wire no es principal más comisión en un cash_out",
    "wire is not principal less fee for cash_in": "wire no es principal menos comisión en un cash_in",
    "the fee is more than half of the principal": "la comisión pasa de la mitad del principal",
    "fiat times rate is too far from the principal": "efectivo por tasa queda muy lejos del principal",
    "amounts and rate must be positive, the fee not negative": (
        "los montos y la tasa deben ser positivos y la comisión no negativa"
    ),
    "rate must be above 0: sats for one unit of fiat": "rate debe ser mayor que 0: sats por una unidad de efectivo",
    "amount must be above 0; without it all that remains is paid": (
        "amount debe ser mayor que 0; sin él se paga todo lo que queda"
    ),
    "{lp} has not said yet where the sats go: ask for join with a Lightning address": (
        "{lp} aún no ha dicho a dónde van los sats: pídale un unirse con su dirección Lightning"
    ),
    "nothing of {lp} remains at {machine}": "a {lp} no le queda nada en {machine}",
    "at this rate that comes to {sats:,} sats: look at the rate": "con esa tasa son {sats:,} sats: revise la tasa",
    "P{id} is {status} and waits for no wallet's word: there is nothing to release": (
        "P{id} está {status} y no espera respuesta de una billetera: no hay nada que liberar"
    ),
    "{field} must be the last {digits} digits of the payment hash": (
        "{field} debe ser los últimos {digits} dígitos del hash de pago"
    ),
    "{field} is another: of P{id} one attempt waits, {state}, over {sats:,} sats: payment show P{id} has "
    "its payment hash": (
        "{field} es otro: de P{id} espera un intento, {state}, por {sats:,} sats: payment show P{id} muestra su hash"
    ),
    "the wallet may still act on the request for P{id}: wait {seconds} s": (
        "la billetera aún puede atender la solicitud de P{id}: espere {seconds} s"
    ),
    "S{id} is {status}: only an errored settlement can be retried": (
        "S{id} está {status}: solo se reintenta una transacción con error"
    ),
    "the wallet has not said what became of {payments}: wait until it has": (
        "la billetera no ha dicho qué pasó con {payments}: espere hasta que lo diga"
    ),
    "say how much was dispensed: either fraction or sats": "diga cuánto se entregó: fraction o sats",
    "S{id} is {status}: only a pending or processing settlement can be reset": (
        "S{id} está {status}: solo se destraba una transacción pendiente o en proceso"
    ),
    "S{id} is {status} for {age} min: it can be reset after more than {threshold} min": (
        "S{id} lleva {age} min {status}: se puede destrabar después de {threshold} min"
    ),
    "S{id} is a cash_in: only a cash_out can be scaled to what was dispensed": (
        "S{id} es un cash_in: solo un cash_out se ajusta a lo que se entregó"
    ),
    "S{id} is {status}: only a pending, processing, partial or errored settlement can be scaled": (
        "S{id} está {status}: solo se ajusta una transacción pendiente, en proceso, parcial o con error"
    ),
    "of S{id} {payments} is paid already: it stays as it is": "de S{id} ya se pagó {payments}: se queda como está",
    "{field} leaves nothing of the settlement: settlement refund pays the customer back": (
        "{field} no deja nada de la transacción: settlement refund le devuelve al cliente"
    ),
    "S{id} is a cash_in: its customer paid in cash, so there are no sats to give back": (
        "S{id} es un cash_in: el cliente pagó en efectivo y no hay sats que devolver"
    ),
    "S{id} is {status}: nothing that was paid for it is proven, so nothing can be refunded": (
        "S{id} está {status}: no hay pago comprobado, así que no hay nada que devolver"
    ),
    "all {wire:,} sats of S{id} are refunded already": "los {wire:,} sats de S{id} ya se devolvieron todos",
    "sats must be from 1 to {left:,}: so much of S{id} is left to refund": (
        "sats debe ser de 1 a {left:,}: eso queda por devolver de S{id}"
    ),
    "P{id} is a {type} that is {status}: only a refund or lp settle that is not paid can be given up": (
        "P{id} es {type} y está {status}: solo se desiste de un refund o lp settle que no se ha pagado"
    ),
    "its rate of {rate} sats is far from the {usual} of the week before: pay with lp settle": (
        "su tasa de {rate} sats está lejos de los {usual} de la semana anterior: pague con lp settle"
    ),
    "too little was sold there in a day to go by its rate: pay with lp settle": (
        "se vendió muy poco ahí en un día para guiarse por su tasa: pague con lp settle"
    ),
    "payment_hash must be 64 hex characters, or the last 8 of one of this machine's payments on the worklist": (
        "payment_hash debe tener 64 caracteres hex, o los últimos 8 de un pago de este cajero que esté en pendientes"
    ),
    "target: this invoice was seen before: ask for a new one": "target: esta factura ya se vio antes: pida una nueva",
    "this payment is settlement S{id} already, which was rejected: show S{id} says why. Without payment_hash it is "
    "entered on your word": (
        "este pago ya es la transacción S{id}, que fue rechazada: show S{id} dice por qué. Sin payment_hash se anota "
        "con su palabra"
    ),
    "wallet {wallet}, where the sats of S{id} came in, is not configured any more: put it back first": (
        "la billetera {wallet}, a donde entraron los sats de S{id}, ya no está configurada: póngala de nuevo primero"
    ),
    "fraction must be above 0 and at most 1 (100%)": "fraction debe ser mayor que 0 y a lo más 1 (100%)",
    "sats is the principal that was dispensed: from 1 to the {landed:,} sats that landed": (
        "sats es el principal que se entregó: de 1 a los {landed:,} sats que llegaron"
    ),
    "platform and operator fee together may be at most {most}: {broken}": (
        "la comisión de la plataforma y la del operador juntas no pueden pasar de {most}: {broken}"
    ),
    "{currency!r} is no ISO 4217 currency: use three capitals such as GTQ or EUR": (
        "{currency!r} no es una moneda ISO 4217: use tres mayúsculas como GTQ o EUR"
    ),
    "{field} must be a plain decimal number such as 2000.50": "{field} debe ser un número decimal simple como 2000.50",
    "{field}: {currency} has {digits} digits after the point": (
        "{field}: {currency} lleva {digits} dígitos después del punto"
    ),
    "{field} is too large": "{field} es demasiado grande",
    "{field} may have at most 6 digits after the point (0.000001)": (
        "{field} puede llevar a lo más 6 dígitos después del punto (0.000001)"
    ),
    "{field} may be at most 1 (100%)": "{field} puede ser a lo más 1 (100%)",
    "there is nothing about “{target}” in the audit log: name an id such as S12, P40 or D7, a machine, "
    "an LP, or platform": (
        "no hay nada sobre “{target}” en la bitácora: diga un id como S12, P40 o D7, un cajero, un LP o platform"
    ),
    "{machine} has not reported its cassettes: there is nothing to see or to change until it does": (
        "{machine} no ha informado de sus gavetas: hasta entonces no hay nada que ver ni cambiar"
    ),
    "nothing to change is named, for example: cassette set sintra 1 count=180": (
        "no dice qué cambiar, por ejemplo: cassette set sintra 1 count=180"
    ),
    "you see what you received yourself: chart": "usted ve solo lo que ha recibido usted: chart",
    "target: the invoice is over {msat:,} msat: it must be over the sats that are refunded": (
        "target: la factura es por {msat:,} msat: debe ser por los sats que se devuelven"
    ),
    "target: the invoice has expired: ask for a new one": "target: la factura ya venció: pida otra",
    "{lp} has not said where the sats go: ask for a message “join” with a Lightning address first": (
        "{lp} no ha dicho a dónde van los sats: pídale primero un mensaje “unirse” con su dirección Lightning"
    ),
    "nothing to change is named, for example: deposit set D7 1500": (
        "no dice qué cambiar, por ejemplo: deposit set D7 1500"
    ),
    "there is no deposit D{id}: deposit list": "no hay un depósito D{id}: deposit list",
    "D{id} is {status}: only a pending one can change": "D{id} está {status}: solo uno pendiente se puede cambiar",
    "amount must be more than 0": "amount debe ser mayor que 0",
    "amount is too large together with the deposits before": (
        "amount es demasiado grande junto con los depósitos anteriores"
    ),
    "one row is too long for a message: go on after it with after={next}, or have a file made on the "
    "host: satmachine export {what}": (
        "una fila es demasiado larga para un mensaje: siga con after={next} o saque un archivo en el "
        "servidor: satmachine export {what}"
    ),
    "that is too much for messages ({rows} rows): narrow it with since= and until=, or have a file made "
    "on the host: satmachine export {what} --format {kind} --output FILE": (
        "es demasiado para mensajes ({rows} filas): limítelo con since= y until= o saque un archivo en el "
        "servidor: satmachine export {what} --format {kind} --output ARCHIVO"
    ),
    "you can export your own payments and deposits: export payments": (
        "usted puede exportar sus propios pagos y depósitos: export payments"
    ),
    "that is too much for messages ({rows} rows): narrow it with since= and until=": (
        "es demasiado para mensajes ({rows} filas): limítelo con since= y until="
    ),
    "the next of a former answer": "el next de una respuesta anterior",
    "{field} must be {wanted}": "{field} debe ser {wanted}",
    "a date such as 2026-01-31, or unix seconds": "una fecha como 2026-01-31, o segundos unix",
    "{field} must be an id such as {letter}12": "{field} debe ser un id como {letter}12",
    "a fraction such as 0.03 or 3%": "una fracción como 0.03 o 3%",
    "an amount such as 2000.00": "un monto como 2000.00",
    "sats for one unit of fiat, such as 50": "sats por una unidad de efectivo, como 50",
    "a whole number": "un número entero",
    "an id from a former answer's next": "un id del next de una respuesta anterior",
    "an ISO 4217 currency such as GTQ or EUR": "una moneda ISO 4217 como GTQ o EUR",
    "true or false (on/off, yes/no)": "true o false (on/off, yes/no)",
    "from 1 to 200": "de 1 a 200",
    "{field} must be from {least} to {most}": "{field} debe ser de {least} a {most}",
    "text": "un texto",
    "a name": "un nombre",
    "a name or a public key": "un nombre o una llave pública",
    "{what} (1 to {most:,} characters)": "{what} (de 1 a {most:,} caracteres)",
    "the operator has frozen your payments: write to the operator": (
        "el operador congeló sus pagos: escríbale al operador"
    ),
    "lp is missing, for example: freeze ana": "falta lp, por ejemplo: freeze ana",
    "you can do this for yourself only: leave the name out": "esto solo lo puede hacer para usted: quite el nombre",
    "a quote {quote} is opened and not closed": "se abre una comilla {quote} y no se cierra",
    "that is too long for an order: say help": "eso es demasiado largo para una orden: escriba ayuda",
    "{field} is given twice": "{field} está dos veces",
    "“{text}” is one word too many: put quotes around values with spaces": (
        "“{text}” está de más: ponga entre comillas los valores con espacios"
    ),
    "name looks like a key or an id: choose another one": "name parece una llave o un id: elija otro",
    "there is none yet: machine add": "todavía no hay ninguno: machine add",
    "there is no machine “{name}”: {hint}": "no hay un cajero “{name}”: {hint}",
    "there is none yet: lp add": "todavía no hay ninguno: lp add",
    "there is no LP “{name}”: {hint}": "no hay un LP “{name}”: {hint}",
    "{lp} is not enrolled at {machine}: lp add {machine} {lp}": (
        "{lp} no está inscrito en {machine}: lp add {machine} {lp}"
    ),
    "you are no LP here yet: ask the operator to enrol you": (
        "usted todavía no es LP aquí: pídale al operador que lo inscriba"
    ),
    "there is no settlement S{id}": "no hay una transacción S{id}",
    "{field}: an invoice can be paid only once: give a Lightning address such as ana@example.com": (
        "{field}: una factura se paga una sola vez: dé una dirección Lightning como ana@example.com"
    ),
    "do you mean {name}?": "¿quiso decir {name}?",
    "{field}: {why}": "{field}: {why}",
    "known are {names}": "hay {names}",
    "{lp} is enrolled at {machine} already": "{lp} ya está inscrito en {machine}",
    "nothing to change is named, for example: lp set sintra ana status=paused": (
        "no dice qué cambiar, por ejemplo: lp set sintra ana status=paused"
    ),
    "{lp} has deposits or payments at {machine}, and records are kept: lp set {machine} {lp} status=paused": (
        "{lp} tiene depósitos o pagos en {machine} y los registros se guardan: lp set {machine} {lp} status=paused"
    ),
    "this key is {lp} already: leave the name out": "esta llave ya es {lp}: quite el nombre",
    "there is no applicant A{id}: lp applicants": "no hay un solicitante A{id}: lp applicants",
    "there is an LP {name} already: choose another name": "ya hay un LP {name}: elija otro nombre",
    "npub is the bot's own key: give the LP's": "npub es la llave del propio bot: dé la del LP",
    "machine is missing, {lp} is enrolled at {machines}: lp remove {machine} {lp}": (
        "falta machine, {lp} está inscrito en {machines}: lp remove {machine} {lp}"
    ),
    "name must have letters or digits, such as sintra": "name debe llevar letras o dígitos, como sintra",
    "npub is the bot's own key: give the machine's": "npub es la llave del propio bot: dé la del cajero",
    "this key is the machine {machine} already: machine set": "esta llave ya es el cajero {machine}: machine set",
    "nothing to change is named, for example: machine set sintra cash_out_fee=6%": (
        "no dice qué cambiar, por ejemplo: machine set sintra cash_out_fee=6%"
    ),
    "{machine} has settlements, payments or deposits, and records are kept: machine set {machine} active=off": (
        "{machine} tiene transacciones, pagos o depósitos y los registros se guardan: machine set {machine} active=off"
    ),
    "there is a machine {name} already: choose another name": "ya hay un cajero {name}: elija otro nombre",
    "wallet must be one of the configured wallets ({wallets}): add it to the configuration first": (
        "wallet debe ser una billetera configurada ({wallets}): agréguela primero a la configuración"
    ),
    "wallet {name} is {machine}'s, and no two machines share one: give this machine its own": (
        "la billetera {name} es de {machine} y dos cajeros no comparten: dele una propia a este"
    ),
    "{machine} still has something to prove or to pay from {wallet}: change it after that": (
        "{machine} aún tiene algo que comprobar o pagar de {wallet}: cámbiela después"
    ),
    "{machine} has records in {fiat}: its currency stays; register the machine with a new key": (
        "{machine} tiene registros en {fiat}: su moneda se queda; registre el cajero con otra llave"
    ),
    "you are not enrolled at such a machine: say balance": "usted no está inscrito en ese cajero: escriba saldo",
    "too many people wait to be enrolled: ask the operator to enrol you first": (
        "hay demasiada gente esperando: pídale al operador que lo inscriba primero"
    ),
    "there is no payment P{id}: payment list": "no hay un pago P{id}: payment list",
    "fixed mode is off: set times in [fixed_mode] of the configuration, then LPs can choose it with prefs set": (
        "el modo fijo está apagado: ponga times en [fixed_mode] de la configuración y los LP podrán elegirlo "
        "con prefs set"
    ),
    "nobody can be paid now. {name}: {why}": "ahora no se le puede pagar a nadie. {name}: {why}",
    "no LP in fixed mode has anything to get now": "ningún LP en modo fijo tiene algo por recibir ahora",
    "nothing to change is named, for example: platform set cash_out_fee=3%": (
        "no dice qué cambiar, por ejemplo: platform set cash_out_fee=3%"
    ),
    "{field} must be en (English) or es (español)": "{field} debe ser en (English) o es (español)",
    "nothing to change is named, for example: prefs set language=es": (
        "no dice qué cambiar, por ejemplo: prefs set language=es"
    ),
    "{field} is for LPs: you can set your language": "{field} es para los LP: usted puede elegir su idioma",
    "this bot does not forward: join with the address where your sats shall end up": (
        "este bot no reenvía: escriba unirse con la dirección final de sus sats"
    ),
    "this bot pays nobody at fixed times, for none are set in its configuration: your mode stays flow": (
        "este bot no paga a horas fijas, no hay ninguna en su configuración: su modo sigue siendo flow"
    ),
    "there is no command “{name}”: {hint}": "no hay una orden “{name}”: {hint}",
    "{field} can't be read, for example: {example}": "no se puede leer {field}, por ejemplo: {example}",
    "{field} is missing, for example: {example}": "falta {field}, por ejemplo: {example}",
    "{command} has no parameter {field}: {hint}": "{command} no lleva el parámetro {field}: {hint}",
    "{field} must be one of: {choices}": "{field} debe ser uno de: {choices}",
    "do you mean “{name}”?": "¿quiso decir “{name}”?",
    "say help for what there is": "escriba ayuda para ver lo que hay",
    "it takes {names}": "lleva {names}",
    "it takes none": "no lleva ninguno",
    "until must be later than since": "until debe ser después de since",
    "there is no settlement S{id}: settlement list": "no hay una transacción S{id}: settlement list",
    "legs must be 1 to {most} shares, such as {example}": "legs debe ser de 1 a {most} partes, como {example}",
    "legs: no share may be 0": "legs: ninguna parte puede ser 0",
    "legs must add up to exactly 1 (100%), these add up to {total}": (
        "legs debe sumar exactamente 1 (100%), estas suman {total}"
    ),
    "legs must be written like {example}": "legs se escribe como {example}",
    "legs must be a list of fraction, target and label": "legs debe ser una lista de fraction, target y label",
    "{machine} has no rule of its own: splits show {machine}": (
        "{machine} no tiene un reparto propio: splits show {machine}"
    ),
    "no default rule is set: splits show": "no hay un reparto general: splits show",
    "legs: each has a fraction, a target and maybe a label": "legs: cada una lleva fraction, target y quizá label",
    "there is no wallet “{wallet}”: {hint}": "no hay una billetera “{wallet}”: {hint}",
    "there are {names}": "hay {names}",
    "none is configured: satmachine init on the host writes how": (
        "no hay ninguna configurada: satmachine init en el servidor escribe cómo"
    ),
    "{text} is no number: amounts are text such as 2000.00": (
        "{text} no es un número: los montos son texto como 2000.00"
    ),
    "id must be text or a number of at most {most}": "id debe ser texto o un número de a lo más {most}",
    'method must be text such as "deposit.add"': 'method debe ser texto como "deposit.add"',
    "an order in JSON is an object": "una orden en JSON es un objeto",
    "the JSON is nested too deeply": "el JSON tiene demasiados niveles",
    "a key is there twice in the JSON": "una clave está dos veces en el JSON",
    "a number in the JSON is too long": "un número del JSON es demasiado largo",
    "params must be an object": "params debe ser un objeto",
    "the JSON has half a character in it (a lone surrogate)": "el JSON trae medio carácter (un sustituto suelto)",
    "this is not valid JSON: send text, or a JSON object": "eso no es JSON válido: mande texto o un objeto JSON",
    "the text has half a character in it: write it again": "el texto trae medio carácter: escríbalo otra vez",
    "confirm must be true or false": "confirm debe ser true o false",
    "no rate is known there: its last settlement is more than {minutes} min ago": (
        "ahí no hay una tasa: su última transacción fue hace más de {minutes} min"
    ),
    "wallet must be one of the configured wallets ({known})": "wallet debe ser una billetera configurada ({known})",
    "nothing waits for this code (it lives for 10 min): give the order again": (
        "nada espera ese código (dura 10 min): dé la orden otra vez"
    ),
    "{command} is not for you any more": "{command} ya no es para usted",
    "this id was used for another order: give each order its own id": (
        "ese id ya se usó para otra orden: dele a cada orden el suyo"
    ),
    "more than {most} orders in a minute: wait a minute": "más de {most} órdenes en un minuto: espere un minuto",
    "{command} is for {who}: say help for what you can do here": (
        "{command} es para {who}: escriba ayuda para ver lo que puede hacer"
    ),
    "this message comes too late, or from a clock that is wrong: send it again": (
        "este mensaje llega tarde o de un reloj mal puesto: mándelo otra vez"
    ),
    "what you may do here has just changed: send it again": (
        "lo que usted puede hacer aquí acaba de cambiar: mándelo otra vez"
    ),
    "that went wrong here, nothing was done: look at the log, try again later": (
        "algo falló aquí y no se hizo nada: mire el registro y pruebe más tarde"
    ),
    'this moves money or decides where it goes: look at the preview, send it again with "confirm": true': (
        'esto mueve dinero o decide a dónde va: vea preview y mándelo otra vez con "confirm": true'
    ),
    "it does not offer list_transactions": "no ofrece list_transactions",
    "operators": "operadores",
    "the platform": "la plataforma",
    "LPs": "los LP",
    "{some} and {others}": "{some} y {others}",
    "payment_hash must be 64 hex characters": "payment_hash debe tener 64 caracteres hex",
    "{field} {what}": "{field} {what}",
    "{field} is more sats than there are": "{field} son más sats de los que existen",
    "fiat_amount is out of bounds": "fiat_amount está fuera de los límites",
    "names a version that is not known here: 1 is": "nombra una versión que aquí no se conoce: se conoce la 1",
    "must be settlement": "debe ser settlement",
    "must be cash_out or cash_in": "debe ser cash_out o cash_in",
    "must be three capitals (ISO 4217)": "debe ser tres mayúsculas (ISO 4217)",
    "must be a JSON integer of sats": "debe ser un entero JSON de sats",
    'must be a decimal number or a string of one, such as "2000.00"': (
        'debe ser un número decimal o un texto con uno, como "2000.00"'
    ),
    "may have {digits} digits after the point in {currency}": (
        "puede llevar {digits} dígitos después del punto en {currency}"
    ),
    "must be a time in unix seconds": "debe ser una hora en segundos unix",
    "must be text of at most {most} characters": "debe ser un texto de a lo más {most} caracteres",
    "must be an integer from 1": "debe ser un entero desde 1",
    "is too long": "es demasiado largo",
    "the report can't be read: {why}": "no se puede leer el reporte: {why}",
    "must be 64 hex characters": "debe tener 64 caracteres hex",
    "must be an object": "debe ser un objeto",
    "{count} of your questions are still being looked into: wait for their answers": (
        "{count} de sus preguntas siguen en revisión: espere las respuestas"
    ),
    "the books are being compared already: the result comes when that is done": (
        "los libros ya se están comparando: el resultado llega al terminar"
    ),
    "that took too long, nothing was done: try again later": "eso tardó demasiado y no se hizo nada: pruebe más tarde",
    "that is more than can be read in {seconds} s: ask for less with since and until, or run it on the "
    "host: satmachine export": (
        "eso es más de lo que se lee en {seconds} s: pida menos con since y until o hágalo en el servidor: "
        "satmachine export"
    ),
    "the books are too long to be compared here: run satmachine verify on the host": (
        "los libros son demasiado largos para compararlos aquí: corra satmachine verify en el servidor"
    ),
    "wallet {wallet} does not answer: {why}. Look whether its service runs and the connection still "
    "exists there; the relays must be those of the connection. Nothing is lost meanwhile": (
        "la billetera {wallet} no responde: {why}. Vea si su servicio corre y la conexión aún existe ahí; "
        "los relays deben ser los de la conexión. Mientras tanto no se pierde nada"
    ),
    "not offered": "no lo ofrece",
    "it did not come to an end in time": "no terminó a tiempo",
    "the wallet did not give the whole list": "la billetera no dio la lista completa",
    "it shows a payment that nobody made": "muestra un pago que nadie hizo",
    "none of its relays is connected": "ninguno de sus relays está conectado",
    "{lp} has {amount} left at {machine}: pay it with lp settle, then lp set {machine} {lp} status=paused": (
        "a {lp} le quedan {amount} en {machine}: páguelo con lp settle y luego lp set {machine} {lp} status=paused"
    ),
    "{field} must be an amount from 1 on, such as 500 or 500.50, or none": (
        "{field} debe ser un monto desde 1, como 500 o 500.50, o none"
    ),
    "{sats:,} sats are over the cap of {most:,} sats for one payment: pay it in parts": (
        "{sats:,} sats pasan del límite de {most:,} sats por pago: páguelo en partes"
    ),
}
