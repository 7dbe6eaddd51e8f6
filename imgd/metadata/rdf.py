"""The properties of an XMP packet, whichever of RDF's forms each was written in (XMP part 1, 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError

import defusedxml
import defusedxml.ElementTree as SafeTree

from imgd.metadata.tiff import clean_text

RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_CONTAINERS: Final = frozenset({f"{RDF}Bag", f"{RDF}Seq", f"{RDF}Alt"})
_MAX_ITEMS: Final = 2_000
_MAX_TEXT: Final = 65_536


@dataclass(frozen=True, slots=True)
class Struct:
    """Named values, each written as an attribute or as an element; names are `{namespace}local`."""

    attributes: dict[str, str]
    elements: dict[str, Element]

    def __contains__(self, name: str) -> bool:
        return name in self.attributes or name in self.elements

    def text(self, *names: str) -> str | None:
        """The first of these properties that is not blank, as text; of language alternatives, x-default."""
        for name in names:
            if text := next(iter(self.items(name)), None):
                return text
        return None

    def items(self, name: str) -> list[str]:
        """The texts of a list, or of the one value; the default language first."""
        if name in self.attributes:
            return [text for text in [clean_text(self.attributes[name][:_MAX_TEXT])] if text]
        element = self.elements.get(name)
        if element is None:
            return []
        entries = [(_language_rank(item), _element_text(item)) for item in list_items(element)]
        entries = entries or [(0, _element_text(element))]
        return [text for _, text in sorted(entries, key=lambda entry: entry[0]) if text]

    def struct(self, name: str) -> Struct | None:
        """The value as a structure of named values."""
        element = self.elements.get(name)
        return None if element is None else structure(element)

    def structs(self, name: str) -> Iterator[Struct]:
        """The values of a list of structures."""
        element = self.elements.get(name)
        for item in list_items(element) if element is not None else ():
            yield structure(item)


def parse(packet: bytes) -> Struct:
    """The properties of the packet's main description.

    Raises:
        ValueError: in plain words, where it is not XML or forbidden XML (entities).
    """
    try:
        root = SafeTree.fromstring(_trimmed(packet))
    except ParseError as error:
        raise ValueError(f"XMP is not well-formed: {error}") from None
    except (defusedxml.DefusedXmlException, ValueError, LookupError) as error:
        raise ValueError(f"XMP cannot be read: {type(error).__name__}") from None
    descriptions = [root] if root.tag == f"{RDF}Description" else list(root.iter(f"{RDF}RDF"))
    if not descriptions:
        raise ValueError("XMP has no RDF")
    found = Struct({}, {})
    for rdf in descriptions[:8]:
        for description in [rdf] if rdf.tag == f"{RDF}Description" else list(rdf)[:_MAX_ITEMS]:
            _merge(found, description)
    return found


def list_items(element: Element) -> list[Element]:
    """The rdf:li of a list, or of the lone value none."""
    for child in element:
        if child.tag in _CONTAINERS:
            return [item for item in child if item.tag == f"{RDF}li"][:_MAX_ITEMS]
    return []


def structure(element: Element) -> Struct:
    """An element's value as a structure: in its attributes, its children, or a Description inside it."""
    found = Struct({}, {})
    _merge(found, element)
    for child in element:
        if child.tag == f"{RDF}Description":
            _merge(found, child)
    return found


def _merge(found: Struct, description: Element) -> None:
    for name, value in description.attrib.items():
        found.attributes.setdefault(name, value)
    for child in description:
        found.elements.setdefault(child.tag, child)


def _language_rank(item: Element) -> int:
    language = item.attrib.get(_LANG, "x-default")
    return 0 if language == "x-default" else 1 if language.startswith("en") else 2


def _element_text(element: Element) -> str:
    text = element.text or element.attrib.get(f"{RDF}value") or element.attrib.get(f"{RDF}resource") or ""
    if not text.strip():
        value = element.find(f"{RDF}value")
        text = (value.text or "") if value is not None else ""
    return clean_text(text[:_MAX_TEXT])


def _trimmed(packet: bytes) -> bytes:
    """Without the padding and terminators that containers put around a packet."""
    packet = packet.strip(b"\0 \t\r\n")
    if packet.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return packet
    start = packet.find(b"<")
    end = packet.rfind(b">")
    return packet[start : end + 1] if 0 <= start < end else packet
