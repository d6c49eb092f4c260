//! The words of an expression.

use super::{Decimal, Fault, Operator};

/// Digits of a number, with its point.
const MAX_DIGITS: usize = 18;
/// Words of one expression; also bounds how deep it nests.
const MAX_TOKENS: usize = 200;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Decimal),
    Text(String),
    Name(String),
    Not,
    Operator(Operator),
    Open,
    Close,
    Comma,
}

impl Token {
    /// How it is written, for messages.
    pub(super) fn spelling(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("'{text}'"),
            Self::Name(name) => name.clone(),
            Self::Not => "not".to_owned(),
            Self::Operator(operator) => operator.as_str().to_owned(),
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::Comma => ",".to_owned(),
        }
    }
}

/// Words that mean something in expressions, so that nothing can have one as its name.
pub(crate) const RESERVED: &[&str] = &["and", "or", "not", "div", "mod", "answered", "refused"];

/// The function that is not a word by the rule of words.
pub(super) const COUNT_SELECTED: &str = "count-selected";

/// The words of `source` with their byte offsets.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        let offset = source.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        if tokens.len() == MAX_TOKENS {
            return Err(Fault::new(offset, format!("the expression has more than {MAX_TOKENS} words")));
        }
        let (token, length) = match first {
            '0'..='9' | '.' => number(rest, offset)?,
            '\'' | '"' => text(rest, first, offset)?,
            'a'..='z' | 'A'..='Z' | '_' => word(rest),
            _ => symbol(rest, first, offset)?,
        };
        tokens.push((offset, token));
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn number(rest: &str, offset: usize) -> Result<(Token, usize), Fault> {
    let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let digits = rest.get(..length).unwrap_or_default();
    match digits.parse() {
        Ok(number) if length <= MAX_DIGITS => Ok((Token::Number(number), length)),
        Ok(_) | Err(_) => Err(Fault::new(offset, format!("`{digits}` is no number"))),
    }
}

fn text(rest: &str, quote: char, offset: usize) -> Result<(Token, usize), Fault> {
    match rest.split(quote).nth(1).filter(|text| rest.len() > text.len() + 1) {
        Some(text) => Ok((Token::Text(text.to_owned()), text.len() + 2)),
        None => Err(Fault::new(offset, format!("the closing {quote} is missing"))),
    }
}

fn word(rest: &str) -> (Token, usize) {
    // Where `count` is a name, `count - selected(…)` makes no sense: nothing is taken from true or false.
    if rest.strip_prefix(COUNT_SELECTED).is_some_and(|rest| rest.trim_start().starts_with('(')) {
        return (Token::Name(COUNT_SELECTED.to_owned()), COUNT_SELECTED.len());
    }
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let token = match rest.get(..length).unwrap_or_default() {
        "or" => Token::Operator(Operator::Or),
        "and" => Token::Operator(Operator::And),
        "not" => Token::Not,
        "div" => Token::Operator(Operator::Divide),
        "mod" => Token::Operator(Operator::Modulo),
        name => Token::Name(name.to_owned()),
    };
    (token, length)
}

fn symbol(rest: &str, first: char, offset: usize) -> Result<(Token, usize), Fault> {
    for (spelling, instead) in [
        ("==", "="),
        ("<>", "!="),
        ("&&", "and"),
        ("||", "or"),
        ("&", "and"),
        ("|", "or"),
        ("/", "div"),
        ("%", "mod"),
    ] {
        if rest.starts_with(spelling) {
            let fault = Fault::new(offset, format!("`{spelling}` means nothing here"));
            return Err(fault.mend(format!("write `{instead}`")));
        }
    }
    let (operator, length) = match (first, rest.chars().nth(1)) {
        ('(', _) => return Ok((Token::Open, 1)),
        (')', _) => return Ok((Token::Close, 1)),
        (',', _) => return Ok((Token::Comma, 1)),
        ('!', Some('=')) => (Operator::NotEqual, 2),
        ('<', Some('=')) => (Operator::LessOrEqual, 2),
        ('>', Some('=')) => (Operator::GreaterOrEqual, 2),
        ('=', _) => (Operator::Equal, 1),
        ('<', _) => (Operator::Less, 1),
        ('>', _) => (Operator::Greater, 1),
        ('+', _) => (Operator::Add, 1),
        ('-', _) => (Operator::Subtract, 1),
        ('*', _) => (Operator::Multiply, 1),
        ('!', _) => return Err(Fault::new(offset, "`!` means nothing here").mend("write `not`".to_owned())),
        (other, _) => return Err(Fault::new(offset, format!("`{other}` means nothing here"))),
    };
    Ok((Token::Operator(operator), length))
}
