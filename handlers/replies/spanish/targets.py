"""What is wrong with a target, a key, an invoice, or whoever gives one."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "longer than {most} characters": "más de {most} caracteres",
    "a letter that bech32 does not have": "tiene una letra que no va ahí",
    "upper and lower case are mixed": "mezcla mayúsculas y minúsculas",
    "no bech32 text": "no es un texto bech32",
    "the checksum does not match: a character is wrong or missing": (
        "la suma de control no cuadra: un carácter está mal o falta"
    ),
    "the padding is not empty": "el relleno no está vacío",
    "the invoice is for no known network, or its amount is malformed": (
        "la factura no es de una red conocida o su monto está mal escrito"
    ),
    "the invoice asks for a fraction of a millisatoshi": "la factura pide una fracción de milisatoshi",
    "the invoice asks for more bitcoin than there will ever be": "la factura pide más bitcoin del que habrá jamás",
    "the invoice is not signed by the payee that it names": "la factura no está firmada por el beneficiario que nombra",
    "a private route of the invoice is malformed": "una ruta privada de la factura está mal escrita",
    "the invoice requires features that are not known here: {bits}": (
        "la factura exige funciones que aquí no se conocen: {bits}"
    ),
    "the invoice is cut short": "la factura está incompleta",
    "the invoice has no payment hash": "la factura no tiene hash de pago",
    "the invoice can't be read: {why}": "no se puede leer la factura: {why}",
    "the invoice has the field {letter} twice": "la factura tiene dos veces el campo {letter}",
    "the number in the field {letter} of the invoice is out of reason": (
        "el número del campo {letter} de la factura no es razonable"
    ),
    "the signature of the invoice is not valid": "la firma de la factura no es válida",
    "a field of the invoice is cut short": "un campo de la factura está incompleto",
    "{host} can't be reached": "no hay conexión con {host}",
    "the address is too long": "la dirección es demasiado larga",
    "the address names no host": "la dirección no nombra un servidor",
    "the address can't be read": "no se puede leer la dirección",
    "{host} is an onion address: they are not supported": "{host} es una dirección onion: no se admiten",
    "{host} must be reached by https": "a {host} se debe llegar por https",
    "the address at {host} has a user name in it": "la dirección en {host} lleva un nombre de usuario",
    "{host} has no address": "{host} no tiene dirección",
    "{host} has an address that is not public": "{host} tiene una dirección que no es pública",
    "{host} redirects: redirects are not followed": "{host} manda a otra dirección: eso no se sigue",
    "{host} sent a compressed answer that nobody asked for": "{host} mandó una respuesta comprimida que nadie pidió",
    "{host} took longer than {seconds:g} s": "{host} tardó más de {seconds:g} s",
    "{host} answered something that is no JSON (HTTP {status})": "{host} respondió algo que no es JSON (HTTP {status})",
    "{host} has no address that can be found": "no se encuentra la dirección de {host}",
    "{host} sent more than {most} bytes": "{host} mandó más de {most} bytes",
    "{host} broke off ({why})": "{host} cortó la conexión ({why})",
    "the invoice is for {network}, not {wanted}": "la factura es de {network}, no de {wanted}",
    "the invoice names no amount": "la factura no trae monto",
    "the invoice is for {amount} msat, {due} msat were asked for": (
        "la factura es por {amount} msat y se pidieron {due} msat"
    ),
    "{what}: {seconds} s are needed": "{what}: hacen falta {seconds} s",
    "the invoice may hold the payment for {blocks} blocks after the last hop": (
        "la factura puede retener el pago {blocks} bloques después del último salto"
    ),
    "the private route to the payee costs {fee} msat": "la ruta privada hasta el beneficiario cuesta {fee} msat",
    "the invoice is our own: a payment to ourselves": "la factura es nuestra: sería un pago a nosotros mismos",
    "everybody knows the preimage of this invoice: it would prove nothing": (
        "todos conocen la preimagen de esta factura: no probaría nada"
    ),
    "the invoice has expired": "la factura ya venció",
    "the invoice expires in {left} s": "la factura vence en {left} s",
    "that is a secret key, never send or show it to anybody: an npub is wanted": (
        "esa es una llave secreta, no la mande ni la muestre a nadie: hace falta un npub"
    ),
    "no such public key can exist: a character must be wrong": (
        "esa llave pública no puede existir: debe de haber un carácter mal"
    ),
    "a public key has 64 hex characters": "una llave pública tiene 64 caracteres hex",
    "a public key is an npub or 64 hex characters": "una llave pública es un npub o 64 caracteres hex",
    "the npub is too short": "el npub es demasiado corto",
    "a public key is an npub or 64 hex characters ({why})": "una llave pública es un npub o 64 caracteres hex ({why})",
    "a Lightning address looks like ana@example.com: a-z 0-9 - _ . + and one @": (
        "una dirección Lightning es como ana@example.com: a-z 0-9 - _ . + y una sola @"
    ),
    "{host} is no host name (names with other letters are written as xn--…)": (
        "{host} no es un nombre de servidor (con otras letras se escribe xn--…)"
    ),
    "onion addresses are not supported: ask for an address on the open web": (
        "no se admiten direcciones onion: pida una de la web abierta"
    ),
    "a Lightning address has no port": "una dirección Lightning no lleva puerto",
    "{host} is no public host name, like example.com": "{host} no es un nombre público de servidor, como example.com",
    "an LNURL starts with lnurl1 or lnurlp://": "un LNURL empieza con lnurl1 o lnurlp://",
    "the LNURL holds no address that can be read": "el LNURL no lleva una dirección que se pueda leer",
    "the LNURL must hold an https address": "el LNURL debe llevar una dirección https",
    "the LNURL holds a user name": "el LNURL lleva un nombre de usuario",
    "this LNURL is not for paying: an LNURL-pay link or a Lightning address is needed": (
        "este LNURL no sirve para pagar: hace falta un enlace LNURL-pay o una dirección Lightning"
    ),
    "the payee's server": "el servidor del beneficiario",
    "the payee's server names a minimum above its maximum": (
        "el servidor del beneficiario da un mínimo mayor que su máximo"
    ),
    "the payee takes {least} to {most} sats, not {sats}": "el beneficiario recibe de {least} a {most} sats, no {sats}",
    "the payee's callback": "la segunda dirección del beneficiario",
    "{who} says: {words}": "{who} dice: {words}",
    "{host} has no valid port": "{host} no tiene un puerto válido",
    "the LNURL can't be read": "no se puede leer el LNURL",
    "{who} answered with something else ({field})": "{who} respondió otra cosa ({field})",
    "the LNURL can't be read: {why}": "no se puede leer el LNURL: {why}",
    "a Lightning address (ana@example.com), an LNURL, a Lightning invoice, an npub or a wallet connection (NWC)": (
        "una dirección Lightning (ana@example.com), un LNURL, una factura Lightning, un npub o una conexión "
        "de billetera (NWC)"
    ),
    "this is no target: {forms}": "eso no es un destino: sirve {forms}",
    "a target is missing: {forms}": "falta un destino: sirve {forms}",
    "this is too long for a target: {forms}": "eso es demasiado largo para un destino: sirve {forms}",
    "the invoice names {named}, due are {due} msat": "la factura dice {named}, se deben {due} msat",
    "the profile of {npub} has no Lightning address (lud16)": (
        "el perfil de {npub} no tiene dirección Lightning (lud16)"
    ),
    "no amount": "ningún monto",
    "the lud16 in the profile of {npub}: {why}": "el lud16 en el perfil de {npub}: {why}",
    "{wallet} makes no invoice: {why}": "{wallet} no hace facturas: {why}",
    "the wallet connection is too long": "la conexión de billetera es demasiado larga",
    "the wallet connection has a letter that does not belong there: copy it again": (
        "la conexión de billetera tiene una letra que no va ahí: cópiela otra vez"
    ),
    "a wallet connection starts with nostr+walletconnect://": (
        "una conexión de billetera empieza con nostr+walletconnect://"
    ),
    "the wallet's public key (after ://) must be 64 hex characters": (
        "la llave pública de la billetera (después de ://) debe tener 64 caracteres hex"
    ),
    "the wallet connection names no relay (relay=wss://…)": (
        "la conexión de billetera no nombra un relay (relay=wss://…)"
    ),
    "the wallet connection names more than {most} relays": "la conexión de billetera nombra más de {most} relays",
    "the wallet connection must have exactly one secret (secret=…)": (
        "la conexión de billetera debe llevar exactamente un secreto (secret=…)"
    ),
    "the secret of the wallet connection must be 64 hex characters and a valid key": (
        "el secreto de la conexión debe tener 64 caracteres hex y ser una llave válida"
    ),
    "the wallet connection can't be read: copy it again from the wallet": (
        "no se puede leer la conexión: cópiela otra vez de la billetera"
    ),
    "a relay of the wallet connection is no ws:// or wss:// address": (
        "un relay de la conexión no es una dirección ws:// o wss://"
    ),
    "there is no public key in the nprofile": "el nprofile no trae llave pública",
    "the nprofile can't be read ({why})": "no se puede leer el nprofile ({why})",
}
