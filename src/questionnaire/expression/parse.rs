//! Words → tree, by rank of the operators.

use super::token::{COUNT_SELECTED, Token, tokens};
use super::{Fault, Node, Operator, Term};
use crate::xml::did_you_mean;

/// Parentheses, signs and `not`s within each other.
const MAX_DEPTH: usize = 32;

/// All functions.
const FUNCTIONS: [&str; 6] = ["answered", "refused", "selected", COUNT_SELECTED, "number", "today"];

pub(super) fn parse(source: &str) -> Result<Node, Fault> {
    let tokens = tokens(source)?;
    if tokens.is_empty() {
        return Err(Fault::new(0, "the expression is empty"));
    }
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), end: source.len(), depth: 0 };
    let node = parser.or()?;
    match parser.tokens.next() {
        None => Ok(node),
        Some((offset, token)) => {
            let fault = Fault::new(offset, format!("`{}` is not expected here", token.spelling()));
            Err(fault.mend(operator_meant(&token)))
        }
    }
}

/// The operator that somebody means who writes a word where one is expected.
fn operator_meant(token: &Token) -> Option<String> {
    let Token::Name(name) = token else { return None };
    let meant = match name.to_ascii_lowercase().as_str() {
        "and" | "amp" => "and",
        "or" => "or",
        "is" | "eq" | "equals" => "=",
        "ne" | "isnt" => "!=",
        "lt" => "&lt;",
        "gt" => ">",
        "div" => "div",
        "mod" => "mod",
        _ => return did_you_mean(name, ["and", "or", "div", "mod"]),
    };
    Some(format!("write `{meant}`"))
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<(usize, Token)>>,
    end: usize,
    depth: usize,
}

impl Parser {
    fn or(&mut self) -> Result<Node, Fault> {
        self.chain(&[Operator::Or], Self::and)
    }

    fn and(&mut self) -> Result<Node, Fault> {
        self.chain(&[Operator::And], Self::not)
    }

    fn not(&mut self) -> Result<Node, Fault> {
        match self.tokens.next_if(|(_, token)| *token == Token::Not) {
            Some((offset, _)) => {
                let inner = self.deeper(offset, Self::not)?;
                Ok(Node { offset, term: Term::Not(Box::new(inner)) })
            }
            None => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Result<Node, Fault> {
        const COMPARISONS: [Operator; 6] = [
            Operator::Equal,
            Operator::NotEqual,
            Operator::Less,
            Operator::LessOrEqual,
            Operator::Greater,
            Operator::GreaterOrEqual,
        ];
        let left = self.sum()?;
        let Some((offset, operator)) = self.operator(&COMPARISONS) else { return Ok(left) };
        let right = self.sum()?;
        if let Some((offset, _)) = self.operator(&COMPARISONS) {
            let fault = Fault::new(offset, "comparisons do not chain");
            return Err(fault.mend("join two with `and`".to_owned()));
        }
        Ok(Node { offset, term: Term::Binary(operator, Box::new(left), Box::new(right)) })
    }

    fn sum(&mut self) -> Result<Node, Fault> {
        self.chain(&[Operator::Add, Operator::Subtract], Self::product)
    }

    fn product(&mut self) -> Result<Node, Fault> {
        self.chain(&[Operator::Multiply, Operator::Divide, Operator::Modulo], Self::sign)
    }

    fn sign(&mut self) -> Result<Node, Fault> {
        match self.operator(&[Operator::Subtract]) {
            Some((offset, _)) => {
                let inner = self.deeper(offset, Self::sign)?;
                Ok(Node { offset, term: Term::Negative(Box::new(inner)) })
            }
            None => self.atom(),
        }
    }

    fn atom(&mut self) -> Result<Node, Fault> {
        let Some((offset, token)) = self.tokens.next() else {
            return Err(Fault::new(self.end, "the expression ends too early"));
        };
        let term = match token {
            Token::Number(number) => Term::Number(number),
            Token::Text(text) => Term::Text(text),
            Token::Name(name) if self.peek() == Some(&Token::Open) => self.function(offset, &name)?,
            Token::Name(name) => Term::Name(name),
            Token::Open => {
                let inner = self.deeper(offset, Self::or)?;
                self.close()?;
                return Ok(inner);
            }
            Token::Not | Token::Operator(_) | Token::Close | Token::Comma => {
                return Err(Fault::new(offset, format!("`{}` is not expected here", token.spelling())));
            }
        };
        Ok(Node { offset, term })
    }

    /// What stands in the parentheses behind the name of a function.
    fn function(&mut self, offset: usize, name: &str) -> Result<Term, Fault> {
        let open = self.tokens.next().map_or(self.end, |(offset, _)| offset);
        let term = match name {
            "answered" => Term::Answered(self.question(name)?),
            "refused" => Term::Refused(self.question(name)?),
            COUNT_SELECTED => Term::CountSelected(self.question(name)?),
            "selected" => {
                let question = self.question(name)?;
                Term::Selected(question, self.option()?)
            }
            "number" => Term::ToNumber(Box::new(self.deeper(open, Self::sum)?)),
            "today" => Term::Today,
            _ => {
                let mend = crate::xml::did_you_mean(name, FUNCTIONS).unwrap_or_else(|| {
                    format!("there are {}", FUNCTIONS.map(|f| format!("{f}()")).join(", "))
                });
                return Err(Fault::new(offset, format!("there is no function `{name}()`")).mend(mend));
            }
        };
        self.close()?;
        Ok(term)
    }

    /// The name of a question, in a function.
    fn question(&mut self, function: &str) -> Result<String, Fault> {
        match self.tokens.next() {
            Some((_, Token::Name(name))) => Ok(name),
            Some((at, _)) => Err(Fault::new(at, format!("`{function}()` takes the name of a question"))),
            None => Err(Fault::new(self.end, "the expression ends too early")),
        }
    }

    /// The comma and the value of an option, in `selected()`.
    fn option(&mut self) -> Result<(usize, String), Fault> {
        let fault = |at| {
            let fault = Fault::new(at, "`selected()` takes a question and the value of one of its options");
            Err(fault.mend("write it as `selected(question, 'value')`".to_owned()))
        };
        match self.tokens.next() {
            Some((_, Token::Comma)) => {}
            Some((at, _)) => return fault(at),
            None => return Err(Fault::new(self.end, "the expression ends too early")),
        }
        match self.tokens.next() {
            Some((at, Token::Text(value))) => Ok((at, value)),
            Some((at, _)) => fault(at),
            None => Err(Fault::new(self.end, "the expression ends too early")),
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        match self.tokens.next() {
            Some((_, Token::Close)) => Ok(()),
            Some((offset, token)) => {
                Err(Fault::new(offset, format!("`)` is missing before `{}`", token.spelling())))
            }
            None => Err(Fault::new(self.end, "`)` is missing")),
        }
    }

    fn chain(
        &mut self,
        operators: &[Operator],
        tighter: fn(&mut Self) -> Result<Node, Fault>,
    ) -> Result<Node, Fault> {
        let mut left = tighter(self)?;
        while let Some((offset, operator)) = self.operator(operators) {
            let right = tighter(self)?;
            left = Node { offset, term: Term::Binary(operator, Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn deeper(&mut self, offset: usize, inner: fn(&mut Self) -> Result<Node, Fault>) -> Result<Node, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::new(offset, format!("the expression nests deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        let node = inner(self);
        self.depth -= 1;
        node
    }

    fn operator(&mut self, among: &[Operator]) -> Option<(usize, Operator)> {
        let (offset, token) = self.tokens.peek()?;
        let (offset, Token::Operator(operator)) = (*offset, token.clone()) else { return None };
        if !among.contains(&operator) {
            return None;
        }
        self.tokens.next();
        Some((offset, operator))
    }

    fn peek(&mut self) -> Option<&Token> {
        self.tokens.peek().map(|(_, token)| token)
    }
}
