//! An element's attributes and children, each asked for by name; what nobody asked for is a finding.

use crate::xml::{Attribute, Element, Findings, Node, did_you_mean};

/// What an element may have, and where findings about it go.
pub(super) struct Reader<'a> {
    pub(super) element: &'a Element,
}

impl<'a> Reader<'a> {
    /// Looks at an element and tells what stands in it that is unknown.
    pub(super) fn new(
        element: &'a Element,
        attributes: &[&str],
        children: &[&str],
        text: bool,
        findings: &mut Findings,
    ) -> Self {
        for attribute in &element.attributes {
            let name = attribute.name.as_str();
            if attribute.namespace.is_none() && !attributes.contains(&name) {
                let mend = did_you_mean(name, attributes.iter().copied());
                findings.error(attribute.at, format!("<{}> has no attribute `{name}`", element.name), mend);
            }
        }
        for node in &element.children {
            match node {
                Node::Element(child) if !children.contains(&child.name.as_str()) => {
                    let what = format!("<{}> cannot stand in <{}>", child.name, element.name);
                    findings.error(child.at, what, did_you_mean(&child.name, children.iter().copied()));
                }
                Node::Text(stray) if !text && !stray.is_blank() => {
                    let first = stray.value.find(|c: char| !c.is_whitespace()).unwrap_or_default();
                    findings.error(stray.place(first), format!("<{}> has no text", element.name), None);
                }
                Node::Element(_) | Node::Text(_) => {}
            }
        }
        Self { element }
    }

    /// An attribute that may be absent.
    pub(super) fn optional(&self, name: &str) -> Option<&'a Attribute> {
        self.element.attribute(name)
    }

    /// An attribute that must be there and not be empty.
    pub(super) fn required(&self, name: &str, findings: &mut Findings) -> Option<&'a Attribute> {
        let attribute = self.element.attribute(name);
        match attribute {
            None => findings.error(
                self.element.at,
                format!("<{}> needs the attribute `{name}`", self.element.name),
                None,
            ),
            Some(attribute) if attribute.value.value.trim().is_empty() => {
                findings.error(attribute.at, format!("`{name}` is empty"), None);
                return None;
            }
            Some(_) => {}
        }
        attribute
    }

    /// The children of this name.
    pub(super) fn children(&self, name: &str) -> impl Iterator<Item = &'a Element> {
        self.element.elements().filter(move |child| child.name == name)
    }

    /// The child of this name, of which there may be one.
    pub(super) fn only_child(&self, name: &str, findings: &mut Findings) -> Option<&'a Element> {
        let mut children = self.children(name);
        let first = children.next();
        for more in children {
            let what = format!("<{}> has one <{name}>, and this is another", self.element.name);
            findings.error(more.at, what, None);
        }
        first
    }
}
