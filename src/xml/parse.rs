//! Bytes → tree: XML 1.0 (fifth edition) without DTDs, Namespaces in XML 1.0.

use std::borrow::Cow;
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::characters::{self, Cursor};
use super::check::{Check, checks};
use super::document::{Document, Element, Node, Text};
use super::finding::{Finding, Findings, Position};
use super::tag::{self, Scope};

/// Bytes of a file: about 2,000 questions with long texts in ten languages.
pub const MAX_BYTES: usize = 4 << 20;
/// Elements within elements; a questionnaire needs six or seven.
const MAX_DEPTH: usize = 24;
/// Elements of a file.
const MAX_ELEMENTS: usize = 100_000;
/// Bytes of the text of one element.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// Reads a document.
///
/// # Errors
/// Findings, if it is not well-formed, not UTF-8, has a DTD or goes beyond a limit.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Document, Vec<Finding>> {
    let mut findings = Findings::of(file);
    let root = decode(bytes, &mut findings).and_then(|text| Builder::new(&text, &mut findings).build());
    match root {
        Some(root) if !findings.has_errors() => Ok(Document { file: file.to_owned(), root }),
        Some(_) | None => Err(findings.into_sorted()),
    }
}

/// The characters of a file, line ends made `\n` (XML §2.11).
fn decode<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<Cow<'a, str>> {
    const SAVE: &str = "save the file as UTF-8";
    if bytes.len() > MAX_BYTES {
        let what = format!("the file has more than {MAX_BYTES} bytes");
        findings.add(&checks::TOO_MUCH, Position::START, what, None);
        return None;
    }
    if bytes.starts_with(b"\xFF\xFE")
        || bytes.starts_with(b"\xFE\xFF")
        || bytes.iter().take(4).any(|b| *b == 0)
    {
        findings.add(
            &checks::NOT_UTF8,
            Position::START,
            "the file is not in UTF-8 but seems to be in UTF-16 or UTF-32",
            SAVE.to_owned(),
        );
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let at = Position::START.after(std::str::from_utf8(valid).unwrap_or_default());
            findings.add(&checks::NOT_UTF8, at, "the file is not in UTF-8 from here on", SAVE.to_owned());
            return None;
        }
    };
    if let Some((offset, character)) = text.char_indices().find(|(_, c)| !characters::is_allowed(*c)) {
        let at = Position::START.after(text.get(..offset).unwrap_or_default());
        findings.add(
            &checks::NOT_XML,
            at,
            format!("the character U+{:04X} is not allowed in XML", u32::from(character)),
            None,
        );
        return None;
    }
    Some(if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    })
}

/// What stopped the reading; the finding is already made.
struct Stop;

/// Builds the tree from the tokens of quick-xml.
struct Builder<'a> {
    reader: Reader<&'a [u8]>,
    cursor: Cursor<'a>,
    findings: &'a mut Findings,
    scope: Scope,
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, findings: &'a mut Findings) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        Self {
            reader,
            cursor: Cursor::new(text),
            findings,
            scope: Scope::default(),
            open: Vec::new(),
            root: None,
            elements: 0,
        }
    }

    fn build(mut self) -> Option<Element> {
        loop {
            let at = self.cursor.to(self.reader.buffer_position());
            match self.reader.read_event() {
                Ok(Event::Eof) => return self.end(at),
                Ok(event) => self.event(at, event).ok()?,
                Err(error) => {
                    let at = self.cursor.to(self.reader.error_position());
                    self.findings.add(&checks::NOT_XML, at, characters::explain(&error), None);
                    return None;
                }
            }
        }
    }

    fn end(self, at: Position) -> Option<Element> {
        if let Some(open) = self.open.last() {
            let what = format!("the file ends, but `<{}>` of line {} is still open", open.name, open.at.line);
            self.findings.add(&checks::NOT_XML, at, what, format!("close it with `</{}>`", open.name));
            return None;
        }
        if self.root.is_none() {
            self.findings.add(&checks::NOT_XML, at, "the file has no element", None);
        }
        self.root
    }

    fn event(&mut self, at: Position, event: Event<'a>) -> Result<(), Stop> {
        match event {
            Event::Start(start) => {
                let element = self.start(at, &start)?;
                self.open.push(element);
            }
            Event::Empty(start) => {
                let element = self.start(at, &start)?;
                self.close(element);
            }
            Event::End(_) => {
                let element = self.open.pop().expect("quick-xml matches end tags");
                self.close(element);
            }
            Event::Text(text) => {
                if text.contains("]]>") {
                    return self.stop(at, "`]]>` is not allowed in text; write `]]&gt;`");
                }
                self.text(at, &text)?;
            }
            Event::CData(text) => {
                let at = at.after("<![CDATA[");
                self.text(at, &text)?;
            }
            Event::GeneralRef(name) => {
                let Some(character) = characters::reference(&name) else {
                    return self.stop(at, &characters::no_such_entity(&name));
                };
                self.text(at, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::Decl(declaration) => self.declaration(at, declaration.encoding())?,
            Event::DocType(_) => {
                return self.stop_as(
                    &checks::DOCUMENT_TYPE,
                    at,
                    "a document type (`<!DOCTYPE`) is not allowed; leave it out",
                );
            }
            Event::Comment(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn declaration(
        &mut self,
        at: Position,
        encoding: Option<Result<Cow<'_, str>, quick_xml::events::attributes::AttrError>>,
    ) -> Result<(), Stop> {
        match encoding {
            Some(Ok(encoding))
                if !["utf-8", "us-ascii"].contains(&encoding.to_ascii_lowercase().as_str()) =>
            {
                self.stop_as(
                    &checks::NOT_UTF8,
                    at,
                    &format!("the encoding `{encoding}` is not read; save the file as UTF-8"),
                )
            }
            Some(Err(_)) => self.stop(at, "the XML declaration is malformed"),
            Some(Ok(_)) | None if at != Position::START => {
                self.stop(at, "an XML declaration is allowed only at the very beginning of the file")
            }
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn start(&mut self, at: Position, start: &BytesStart<'_>) -> Result<Element, Stop> {
        if self.root.is_some() {
            return self.stop(at, "a second element at the top; a file has one");
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS || self.open.len() >= MAX_DEPTH {
            let what =
                format!("more than {MAX_ELEMENTS} elements, or more than {MAX_DEPTH} within each other");
            return self.stop_as(&checks::TOO_MUCH, at, &what);
        }
        let tag = tag::read(start, at, self.findings);
        Ok(self.scope.enter(tag, at, self.findings))
    }

    fn close(&mut self, element: Element) {
        self.scope.leave();
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, at: Position, characters: &str) -> Result<(), Stop> {
        let Some(parent) = self.open.last_mut() else {
            let blank = characters.chars().all(char::is_whitespace);
            return if blank { Ok(()) } else { self.stop(at, "text outside of the root element") };
        };
        if !matches!(parent.children.last(), Some(Node::Text(_))) {
            parent.children.push(Node::Text(Text::default()));
        }
        let Some(Node::Text(text)) = parent.children.last_mut() else { return Ok(()) };
        if text.value.len() + characters.len() > MAX_TEXT_BYTES {
            return self.stop_as(
                &checks::TOO_MUCH,
                at,
                &format!("a text of more than {MAX_TEXT_BYTES} bytes"),
            );
        }
        text.push(characters, at);
        Ok(())
    }

    fn stop<T>(&mut self, at: Position, what: &str) -> Result<T, Stop> {
        self.stop_as(&checks::NOT_XML, at, what)
    }

    fn stop_as<T>(&mut self, check: &'static Check, at: Position, what: &str) -> Result<T, Stop> {
        self.findings.add(check, at, what, None);
        Err(Stop)
    }
}

/// Names of namespaces are shared by the elements in them.
pub(super) type Namespace = Option<Rc<str>>;
