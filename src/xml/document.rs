//! A document as a tree whose every name and character knows its place.

use std::rc::Rc;

use super::finding::Position;

/// A well-formed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The file, as it was named to us.
    pub file: String,
    /// The only element at the top.
    pub root: Element,
}

/// An element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Local name, without prefix.
    pub name: String,
    /// Namespace name, if it is in one.
    pub namespace: Option<Rc<str>>,
    /// Place of its `<`.
    pub at: Position,
    /// Attributes in the order of the text, without namespace declarations.
    pub attributes: Vec<Attribute>,
    /// What stands in it.
    pub children: Vec<Node>,
}

impl Element {
    /// The attribute of this name that is in no namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.namespace.is_none() && attribute.name == name)
    }

    /// The elements that stand in it, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }
}

/// What stands in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Characters; neighbouring ones are joined.
    Text(Text),
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Local name, without prefix.
    pub name: String,
    /// Namespace name, if its prefix has one.
    pub namespace: Option<Rc<str>>,
    /// Place of its name.
    pub at: Position,
    /// Its value.
    pub value: Text,
}

/// Characters with references resolved (`&lt;` is `<`), which still know where they stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The characters.
    pub value: String,
    /// Where each straight piece of `value` begins: byte offset in `value`, place in the file.
    marks: Vec<(usize, Position)>,
}

impl Text {
    /// Adds characters that stand as they are in the file from `at` on.
    pub fn push(&mut self, characters: &str, at: Position) {
        self.marks.push((self.value.len(), at));
        self.value.push_str(characters);
    }

    /// Where the character at this byte offset of `value` stands in the file.
    #[must_use]
    pub fn place(&self, offset: usize) -> Position {
        let mark = self.marks.iter().rev().find(|(from, _)| *from <= offset).or_else(|| self.marks.first());
        let Some(&(from, at)) = mark else { return Position::START };
        at.after(self.value.get(from..offset).unwrap_or_default())
    }

    /// Whether it has nothing but white space of XML (§2.3).
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.value.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
    }
}
