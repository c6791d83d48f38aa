"""The signature of another service's alert: XML Signature 1.1, enveloped.

Loading this module loads lxml and signxml, of the extra `sign`.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from lxml import etree
from signxml import XMLVerifier
from signxml.exceptions import InvalidCertificate, SignXMLException

from policenotify.errors import InvalidAlert, SettingsError
from policenotify.formats.cap.reader import parse

_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"


def load_certificate(pem: bytes, name: str) -> x509.Certificate:
    """Return a certificate.

    Raises:
        SettingsError: It is none. The text begins with the setting's name.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise SettingsError(f"{name}: not a certificate in PEM") from None


def is_signed(content: bytes) -> bool:
    """Return True if a file has a signature, whatever it is worth."""
    return parse(content).find(f".//{_SIGNATURE}") is not None


def verified(content: bytes, certificate: x509.Certificate) -> bytes:
    """Return the part of a file that its signature covers.

    Raises:
        InvalidAlert: The certificate's key did not sign it, it was changed since, or the certificate is not valid now.
    """
    parse(content)  # no document type, and not too large
    try:
        result = XMLVerifier().verify(_lxml(content), x509_cert=certificate)
    except InvalidCertificate:
        raise InvalidAlert(
            "the certificate of its sender is not valid now. Ask the sender for the present one, and name that in "
            "[certificates]"
        ) from None
    except (SignXMLException, WrongSignature, etree.LxmlError, ValueError, TypeError, LookupError):
        raise InvalidAlert(
            "its signature is not that of the certificate, or it was changed after it was signed"
        ) from None
    body: bytes = etree.tostring(result.signed_xml, encoding="utf-8")  # type: ignore[union-attr]  # one reference, one result
    return body


def _lxml(content: bytes) -> etree._Element:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
