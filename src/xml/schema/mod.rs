//! Which element may stand where, with which attributes of which form: one table, from which files are
//! checked and from which an XML Schema (XSD 1.0) for other people's editors is written.
//!
//! ```text
//! const RULES: &[Rule] = &[                                  ┌──► check: findings with line and column
//!     element("retry", "What happens when nothing comes.")   │
//!         .with(&[&[needs("id", Form::Name("retry"), "…"),  ─┤
//!                   may("wait", Form::Time(500, 60_000), "…")]])
//!         .holding(&[&["no-input"]]),                        └──► xsd: docs/questionnaire.xsd
//! ];
//! ```

mod check;
mod form;
mod ranges;
mod xsd;

pub use form::{Form, Shape, time};

use super::{Attribute, Element};

/// The rules of one kind of document.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What its documents are called: `questionnaire`.
    pub title: &'static str,
    /// The namespace of all its elements.
    pub namespace: &'static str,
    /// All elements; the first is the one at the top.
    pub rules: &'static [Rule],
    /// Name spaces ([`Form::Name`]) that share one set of names.
    pub shared: &'static [&'static [&'static str]],
    /// Words that cannot be names.
    pub reserved: &'static [&'static str],
}

/// The shape of one element.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What it is, for people.
    pub doc: &'static str,
    /// Its attributes, in groups so that several elements can have the same ones.
    pub attributes: &'static [&'static [AttributeRule]],
    /// The elements that may stand in it, in any order, in groups.
    pub children: &'static [&'static [&'static str]],
    /// Whether an element must stand in it.
    pub needs_child: bool,
    /// The most characters of text in it; 0: only white space.
    pub text: u32,
}

/// An attribute of an element.
#[derive(Clone, Copy, Debug)]
pub struct AttributeRule {
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub form: Form,
    /// Whether the element must have it.
    pub required: bool,
    /// What it means, for people.
    pub doc: &'static str,
}

/// An element without attributes or content; see [`Rule::with`], [`Rule::holding`], [`Rule::saying`].
#[must_use]
pub const fn element(name: &'static str, doc: &'static str) -> Rule {
    Rule { name, doc, attributes: &[], children: &[], needs_child: false, text: 0 }
}

/// An attribute that must be there.
#[must_use]
pub const fn needs(name: &'static str, form: Form, doc: &'static str) -> AttributeRule {
    AttributeRule { name, form, required: true, doc }
}

/// An attribute that may be left out.
#[must_use]
pub const fn may(name: &'static str, form: Form, doc: &'static str) -> AttributeRule {
    AttributeRule { name, form, required: false, doc }
}

impl Rule {
    /// With these attributes.
    #[must_use]
    pub const fn with(self, attributes: &'static [&'static [AttributeRule]]) -> Self {
        Self { attributes, ..self }
    }

    /// With these elements in it, at least one of them.
    #[must_use]
    pub const fn holding(self, children: &'static [&'static [&'static str]]) -> Self {
        Self { children, needs_child: true, ..self }
    }

    /// With these elements in it, or none.
    #[must_use]
    pub const fn may_hold(self, children: &'static [&'static [&'static str]]) -> Self {
        Self { children, needs_child: false, ..self }
    }

    /// With text of at most so many characters.
    #[must_use]
    pub const fn saying(self, text: u32) -> Self {
        Self { text, ..self }
    }

    /// Its attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &'static AttributeRule> + use<> {
        self.attributes.iter().copied().flatten()
    }

    /// The names of the elements that may stand in it.
    pub fn children(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.children.iter().copied().flatten().copied()
    }
}

impl Schema {
    /// The rule of the element of this name.
    #[must_use]
    pub fn rule(&self, element: &str) -> Option<&'static Rule> {
        self.rules.iter().find(|rule| rule.name == element)
    }

    /// The attribute of an element, if it is there and has the form that it must have.
    #[must_use]
    pub fn value<'e>(&self, element: &'e Element, name: &str) -> Option<&'e Attribute> {
        let rule = self.rule(&element.name)?.attributes().find(|rule| rule.name == name)?;
        element.attribute(name).filter(|attribute| rule.form.fits(&attribute.value.value, self))
    }
}
