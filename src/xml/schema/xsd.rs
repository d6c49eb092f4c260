//! The rules as an XML Schema (XSD 1.0, W3C 2004), for editors that complete and check while one types.
//!
//! ```text
//! rule of an element ─► complexType, and a group with the element and what it is
//! form               ─► simpleType
//! Name, Ref          ─► xs:unique, xs:keyref at the root
//! ```
//! What an XSD cannot say (a loop without an exit, a key with two meanings) `baton check` says alone.

use std::fmt::Write as _;

use super::form::{MAX_NAME_CHARACTERS, MAX_PATH_CHARACTERS};
use super::{AttributeRule, Form, Rule, Schema, ranges};

/// Regular expression of a language tag.
const LANGUAGE: &str = "[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*";
/// Regular expression of one part of a path: neither empty nor `.` nor `..`.
const PATH_PART: &str = r"([^/\\:.][^/\\:]*|\.[^/\\:.][^/\\:]*|\.\.[^/\\:]+)";

impl Schema {
    /// The XML Schema.
    #[must_use]
    pub fn xsd(&self) -> String {
        let mut xsd = Xsd { text: String::new(), depth: 0 };
        xsd.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        xsd.text.push_str("<!-- Written from the rules in src/ by the golden tests. -->\n");
        xsd.open(&format!(
            "xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:b=\"{0}\" targetNamespace=\"{0}\" \
             elementFormDefault=\"qualified\"",
            self.namespace
        ));
        if let Some(root) = self.rules.first() {
            xsd.open(&format!("xs:element name=\"{0}\" type=\"b:{0}\"", root.name));
            xsd.documentation(root.doc);
            self.identities(&mut xsd);
            xsd.close("xs:element");
        }
        for rule in self.rules.iter().skip(1) {
            xsd.open(&format!("xs:group name=\"{}\"", rule.name));
            xsd.open("xs:sequence");
            xsd.open(&format!("xs:element name=\"{0}\" type=\"b:{0}\"", rule.name));
            xsd.documentation(rule.doc);
            xsd.close("xs:element");
            xsd.close("xs:sequence");
            xsd.close("xs:group");
        }
        self.rules.iter().for_each(|rule| complex_type(&mut xsd, rule));
        named_types(&mut xsd);
        xsd.close("xs:schema");
        xsd.text
    }

    /// Names that stand once, and references to them.
    fn identities(&self, xsd: &mut Xsd) {
        let spaces = self.name_spaces();
        for space in &spaces {
            let is_shared = self.shared.iter().any(|shared| shared.contains(space));
            if !is_shared || self.refers_to(space) {
                self.unique(xsd, space, &[space]);
            }
        }
        for shared in self.shared {
            self.unique(xsd, &shared.join("_or_"), shared);
        }
        for space in spaces {
            let mut references = self.of_form(|form| form == Form::Ref(space));
            references.sort_by_key(|(_, attribute)| *attribute);
            for references in references.chunk_by(|(_, one), (_, other)| one == other) {
                let elements: Vec<String> =
                    references.iter().map(|(element, _)| format!(".//b:{element}")).collect();
                let attribute = references.first().map(|(_, attribute)| *attribute).unwrap_or_default();
                xsd.open(&format!("xs:keyref name=\"{space}_of_{attribute}\" refer=\"b:{space}\""));
                xsd.empty(&format!("xs:selector xpath=\"{}\"", elements.join("|")));
                xsd.empty(&format!("xs:field xpath=\"@{attribute}\""));
                xsd.close("xs:keyref");
            }
        }
    }

    fn unique(&self, xsd: &mut Xsd, name: &str, spaces: &[&str]) {
        let named = self.of_form(|form| matches!(form, Form::Name(space) if spaces.contains(&space)));
        let elements: Vec<String> = named.iter().map(|(element, _)| format!(".//b:{element}")).collect();
        let mut fields: Vec<String> = named.iter().map(|(_, attribute)| format!("@{attribute}")).collect();
        fields.sort();
        fields.dedup();
        xsd.open(&format!("xs:unique name=\"{name}\""));
        xsd.empty(&format!("xs:selector xpath=\"{}\"", elements.join("|")));
        xsd.empty(&format!("xs:field xpath=\"{}\"", fields.join("|")));
        xsd.close("xs:unique");
    }

    /// Each element and attribute whose form is one of these.
    fn of_form(&self, wanted: impl Fn(Form) -> bool) -> Vec<(&'static str, &'static str)> {
        let attributes = self.rules.iter().flat_map(|rule| rule.attributes().map(|it| (rule.name, it)));
        attributes.filter(|(_, it)| wanted(it.form)).map(|(rule, it)| (rule, it.name)).collect()
    }

    fn name_spaces(&self) -> Vec<&'static str> {
        let attributes = self.rules.iter().flat_map(Rule::attributes);
        let space = |form| if let Form::Name(space) = form { Some(space) } else { None };
        let spaces = attributes.filter_map(|attribute| space(attribute.form));
        let mut spaces: Vec<&str> = spaces.filter(|space| !space.is_empty()).collect();
        spaces.sort_unstable();
        spaces.dedup();
        spaces
    }

    fn refers_to(&self, space: &str) -> bool {
        !self.of_form(|form| matches!(form, Form::Ref(to) if to == space)).is_empty()
    }
}

fn complex_type(xsd: &mut Xsd, rule: &Rule) {
    let has_children = rule.children().next().is_some();
    let mixed = if has_children && rule.text > 0 { " mixed=\"true\"" } else { "" };
    xsd.open(&format!("xs:complexType name=\"{}\"{mixed}", rule.name));
    if has_children {
        let least = if rule.needs_child { "" } else { " minOccurs=\"0\"" };
        xsd.open(&format!("xs:choice{least} maxOccurs=\"unbounded\""));
        rule.children().for_each(|child| xsd.empty(&format!("xs:group ref=\"b:{child}\"")));
        xsd.close("xs:choice");
        attributes(xsd, rule);
    } else {
        // Without `simpleContent` not even a comment's line break could stand between the tags.
        xsd.open("xs:simpleContent");
        let base = if rule.text > 0 { format!("form.text_{}", rule.text) } else { "form.nothing".to_owned() };
        xsd.open(&format!("xs:extension base=\"b:{base}\""));
        attributes(xsd, rule);
        xsd.close("xs:extension");
        xsd.close("xs:simpleContent");
    }
    xsd.close("xs:complexType");
    if !has_children && rule.text > 0 {
        xsd.open(&format!("xs:simpleType name=\"form.text_{}\"", rule.text));
        xsd.open("xs:restriction base=\"xs:string\"");
        xsd.empty(&format!("xs:maxLength value=\"{}\"", rule.text));
        xsd.close("xs:restriction");
        xsd.close("xs:simpleType");
    }
}

fn attributes(xsd: &mut Xsd, rule: &Rule) {
    rule.attributes().for_each(|attribute| one_attribute(xsd, attribute));
    xsd.empty("xs:anyAttribute namespace=\"##other\" processContents=\"lax\"");
}

fn one_attribute(xsd: &mut Xsd, attribute: &AttributeRule) {
    let required = if attribute.required { " use=\"required\"" } else { "" };
    let named = named_type(attribute.form).map(|name| format!(" type=\"{name}\"")).unwrap_or_default();
    xsd.open(&format!("xs:attribute name=\"{}\"{named}{required}", attribute.name));
    xsd.documentation(attribute.doc);
    if named.is_empty() {
        xsd.open("xs:simpleType");
        restriction(xsd, attribute.form);
        xsd.close("xs:simpleType");
    }
    xsd.close("xs:attribute");
}

/// The name of the type of a form that many attributes have.
const fn named_type(form: Form) -> Option<&'static str> {
    match form {
        Form::Name(_) | Form::Ref(_) => Some("b:form.name"),
        Form::Any | Form::Expression => Some("xs:string"),
        Form::Key => Some("b:form.key"),
        Form::Language => Some("b:form.language"),
        Form::Path => Some("b:form.path"),
        Form::Line(_) | Form::Whole(..) | Form::Time(..) | Form::OneOf(_) | Form::Words(..) => None,
        Form::Keys(_) | Form::Digits(_) | Form::Languages(_) | Form::Shape(_) => None,
    }
}

fn restriction(xsd: &mut Xsd, form: Form) {
    let base = if matches!(form, Form::Whole(..)) { "xs:unsignedLong" } else { "xs:string" };
    if let Form::Languages(most) = form {
        xsd.open("xs:restriction");
        xsd.open("xs:simpleType");
        xsd.empty("xs:list itemType=\"b:form.language\"");
        xsd.close("xs:simpleType");
        xsd.empty("xs:minLength value=\"1\"");
        xsd.empty(&format!("xs:maxLength value=\"{most}\""));
        return xsd.close("xs:restriction");
    }
    xsd.open(&format!("xs:restriction base=\"{base}\""));
    match form {
        Form::Line(most) => {
            xsd.empty(&format!("xs:maxLength value=\"{most}\""));
            xsd.pattern(r"[\s\S]*\S[\s\S]*");
        }
        Form::Whole(least, most) => {
            xsd.empty(&format!("xs:minInclusive value=\"{least}\""));
            xsd.empty(&format!("xs:maxInclusive value=\"{most}\""));
            xsd.pattern("[0-9]+");
        }
        Form::Time(least, most) => xsd.pattern(&ranges::time(least, most)),
        Form::Words(words, none) => {
            let word = words.join("|");
            xsd.pattern(&format!(r"\s*({none}|({word})(\s+({word}))*)\s*"));
        }
        Form::OneOf(words) => {
            words.iter().for_each(|word| xsd.empty(&format!("xs:enumeration value=\"{}\"", escape(word))));
        }
        Form::Keys(most) => xsd.pattern(&format!("[0-9*#A-Da-d]{{1,{most}}}")),
        Form::Digits(most) => {
            let most = u64::from(most);
            let from = |fewest| Some(format!("{fewest}(-({}))?", ranges::whole(fewest, most)?));
            let ways: Vec<String> = (1..=most).filter_map(from).collect();
            xsd.pattern(&ways.join("|"));
        }
        Form::Shape(shape) => xsd.pattern(shape.pattern),
        Form::Name(_) | Form::Ref(_) | Form::Any | Form::Expression | Form::Key => {}
        Form::Language | Form::Languages(_) | Form::Path => {}
    }
    xsd.close("xs:restriction");
}

fn named_types(xsd: &mut Xsd) {
    let name = format!("[A-Za-z_][A-Za-z0-9_]{{0,{}}}", MAX_NAME_CHARACTERS - 1);
    let path = format!("{PATH_PART}(/{PATH_PART})*");
    let types = [
        ("name", name.as_str(), "Letters, digits and _, not beginning with a digit."),
        ("key", "[0-9*#A-Da-d]", "One key of a telephone."),
        ("language", LANGUAGE, "A language tag such as en or pt-BR."),
        ("path", path.as_str(), "A path below the directory of the file."),
    ];
    for (name, pattern, doc) in types {
        xsd.open(&format!("xs:simpleType name=\"form.{name}\""));
        xsd.documentation(doc);
        xsd.open("xs:restriction base=\"xs:string\"");
        if name == "path" {
            xsd.empty(&format!("xs:maxLength value=\"{MAX_PATH_CHARACTERS}\""));
        }
        xsd.pattern(pattern);
        xsd.close("xs:restriction");
        xsd.close("xs:simpleType");
    }
    xsd.open("xs:simpleType name=\"form.nothing\"");
    xsd.documentation("Nothing but white space.");
    xsd.open("xs:restriction base=\"xs:token\"");
    xsd.empty("xs:length value=\"0\"");
    xsd.close("xs:restriction");
    xsd.close("xs:simpleType");
}

/// The text so far; an element is a line.
struct Xsd {
    text: String,
    depth: usize,
}

impl Xsd {
    fn line(&mut self, line: &str) {
        let indent = self.depth * 2;
        writeln!(self.text, "{:indent$}{line}", "").expect("a string takes all");
    }

    fn open(&mut self, tag: &str) {
        self.line(&format!("<{tag}>"));
        self.depth += 1;
    }

    fn empty(&mut self, tag: &str) {
        self.line(&format!("<{tag}/>"));
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    fn documentation(&mut self, text: &str) {
        self.open("xs:annotation");
        self.line(&format!("<xs:documentation xml:lang=\"en\">{}</xs:documentation>", escape(text)));
        self.close("xs:annotation");
    }

    fn pattern(&mut self, pattern: &str) {
        self.empty(&format!("xs:pattern value=\"{}\"", escape(pattern)));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
