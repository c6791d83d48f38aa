"""The signature of an alert: XML Signature 1.1, enveloped, exclusive C14N, ECDSA on P-256 with SHA-256.

It covers the bytes as they are written. Loading this module loads lxml and signxml, of the extra `sign`.
"""

from __future__ import annotations

from typing import Any, Final, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod, XMLSigner, XMLVerifier
from signxml.exceptions import InvalidCertificate, SignXMLException

from policenotify.errors import InvalidAlert, SettingsError
from policenotify.formats.cap.reader import parse
from policenotify.translation import Text

_C14N: Final = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"


class _Repeatable:
    """A key that signs equal bytes equally (RFC 6979): a file that is drawn again is the same file."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - anything of the key
        return getattr(self._key, name)

    def sign(self, data: bytes, signature_algorithm: ec.ECDSA) -> bytes:
        """Sign as the key does."""
        own = ec.ECDSA(signature_algorithm.algorithm, deterministic_signing=True)
        return self._key.sign(data, own)


class Signer:
    """Signs alerts with one key.

    Args:
        key: PEM of a private key on P-256, without a password.
        certificate: PEM of its certificate.

    Raises:
        SettingsError: One of them is not that, or they do not belong together.
    """

    def __init__(self, key: bytes, certificate: bytes) -> None:
        try:
            private = load_pem_private_key(key, password=None)
        except (ValueError, TypeError):
            raise SettingsError(Text("cap_key: not a private key in PEM without a password")) from None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise SettingsError(Text("cap_key: must be a key for ECDSA on the curve P-256"))
        if load_certificate(certificate, "cap_certificate").public_key() != private.public_key():
            raise SettingsError(Text("cap_certificate: belongs to another key than cap_key"))
        self._key = _Repeatable(private)
        self._certificate = certificate.decode("ascii")

    def __repr__(self) -> str:
        return "Signer()"

    def __call__(self, content: bytes) -> bytes:
        """Return the signed file of an alert."""
        signer = XMLSigner(
            signature_algorithm=SignatureMethod.ECDSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=_C14N,
        )
        signed = signer.sign(_lxml(content), key=cast("ec.EllipticCurvePrivateKey", self._key), cert=self._certificate)
        body: bytes = etree.tostring(signed, encoding="utf-8", xml_declaration=True)
        return body + b"\n"


def load_certificate(pem: bytes, name: str) -> x509.Certificate:
    """Return a certificate.

    Raises:
        SettingsError: It is none. The text begins with the setting's name.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise SettingsError(Text("{name}: not a certificate in PEM", name=name)) from None


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
            Text(
                "the certificate of its sender is not valid now. Ask the sender for the present one, and "
                "name that in [certificates]"
            )
        ) from None
    except (SignXMLException, WrongSignature, etree.LxmlError, ValueError, TypeError, LookupError):
        raise InvalidAlert(
            Text("its signature is not that of the certificate, or it was changed after it was signed")
        ) from None
    body: bytes = etree.tostring(result.signed_xml, encoding="utf-8")  # type: ignore[union-attr]  # one reference, one result
    return body


def _lxml(content: bytes) -> etree._Element:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
