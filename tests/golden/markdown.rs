//! The fenced blocks of a Markdown file.

/// A fenced block.
pub(crate) struct Block<'a> {
    /// The word after the fence.
    pub(crate) kind: &'a str,
    /// Byte offset of `text` in the file.
    pub(crate) offset: usize,
    /// Line of its first line, from 1.
    pub(crate) line: usize,
    /// What stands between the fences.
    pub(crate) text: &'a str,
}

/// All fenced blocks, in order.
pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```") {
        let Some((kind, body)) = after.split_once('\n') else { break };
        let Some((inside, behind)) = body.split_once("```") else { break };
        let offset = text.len() - body.len();
        let line = text.get(..offset).unwrap_or_default().lines().count() + 1;
        blocks.push(Block { kind: kind.trim(), offset, line, text: inside });
        rest = behind;
    }
    blocks
}
