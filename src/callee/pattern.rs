//! Patterns of phone numbers: `*` is any run of characters, `?` any one.

/// A pattern of a Request-URI's user part, such as `2547*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<char>);

impl Pattern {
    /// A pattern; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.chars().collect())
    }

    /// The pattern that matches every user.
    #[must_use]
    pub fn any() -> Self {
        Self::new("*")
    }

    /// Whether it matches one user only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.iter().any(|character| matches!(character, '*' | '?'))
    }

    /// Whether the whole of `user` fits. A pattern of n characters costs at most n × length steps.
    #[must_use]
    pub fn matches(&self, user: &str) -> bool {
        let user: Vec<char> = user.chars().collect();
        let (mut at, mut next) = (0, 0);
        let mut star: Option<(usize, usize)> = None; // where the last `*` stands, and how far it reaches
        while next < user.len() {
            match self.0.get(at) {
                Some('*') => {
                    star = Some((at, next));
                    at += 1;
                }
                Some(one) if *one == '?' || *one == user[next] => {
                    at += 1;
                    next += 1;
                }
                Some(_) | None => {
                    let Some((stands, reaches)) = star else { return false };
                    star = Some((stands, reaches + 1));
                    at = stands + 1;
                    next = reaches + 1;
                }
            }
        }
        self.0[at..].iter().all(|left| *left == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_numbers_only() {
        let yes = [("*", ""), ("2547*", "2547"), ("2547*", "254712"), ("*99", "1991199"), ("1?3*5", "12345")];
        let no = [("2547", "25471"), ("2547*", "254"), ("?", ""), ("*99", "1998"), ("", "1")];
        assert!(yes.iter().all(|(pattern, user)| Pattern::new(pattern).matches(user)));
        assert!(no.iter().all(|(pattern, user)| !Pattern::new(pattern).matches(user)));
    }
}
