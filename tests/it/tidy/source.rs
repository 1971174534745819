//! Rust source, cut into code, texts and comments, as far as the rules need it.

use super::{files_under, read};

/// One file.
pub(crate) struct Source {
    /// Relative to the project.
    pub path: String,
    /// The file with comments and the insides of texts blanked: same lines, same offsets.
    pub code: String,
    /// The texts in it.
    pub texts: Vec<Text>,
    /// Byte ranges of `#[cfg(test)]` items.
    tests: Vec<std::ops::Range<usize>>,
}

/// One string literal.
pub(crate) struct Text {
    /// Where its first quote, `r` or `b` is.
    pub offset: usize,
    /// What it says.
    pub value: String,
}

/// Every Rust file under a folder.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    files_under(folder)
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| Source::cut(&path, &read(&path)))
        .collect()
}

/// The Rust of everything that is deployed.
pub(crate) fn deployed() -> Vec<Source> {
    let mut all = sources("shared/src");
    all.extend(sources("functions"));
    all
}

impl Source {
    /// Cuts a file.
    pub(crate) fn cut(path: &str, text: &str) -> Self {
        let mut cutter = Cutter {
            text: text.as_bytes(),
            code: Vec::with_capacity(text.len()),
            texts: Vec::new(),
        };
        cutter.run();
        let code = String::from_utf8(cutter.code).unwrap();
        let tests = test_items(&code);
        Self {
            path: path.into(),
            code,
            texts: cutter.texts,
            tests,
        }
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        1 + self.code[..offset].matches('\n').count()
    }

    /// Whether an offset is in a test.
    pub(crate) fn is_test(&self, offset: usize) -> bool {
        let file = self.path.contains("/tests/") || self.path.ends_with("tests.rs");
        file || self.tests.iter().any(|item| item.contains(&offset))
    }

    /// Where `needle` stands in the code outside tests, at the begin of a word.
    pub(crate) fn find(&self, needle: &str) -> Vec<usize> {
        let word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
        self.code
            .match_indices(needle)
            .map(|(offset, _)| offset)
            .filter(|&offset| offset == 0 || !word(self.code.as_bytes()[offset - 1]))
            .filter(|&offset| !self.is_test(offset))
            .collect()
    }

    /// The text that begins at an offset.
    pub(crate) fn text_at(&self, offset: usize) -> Option<&Text> {
        self.texts.iter().find(|text| text.offset == offset)
    }
}

struct Cutter<'a> {
    text: &'a [u8],
    code: Vec<u8>,
    texts: Vec<Text>,
}

impl Cutter<'_> {
    fn run(&mut self) {
        while self.code.len() < self.text.len() {
            let at = self.code.len();
            let rest = &self.text[at..];
            let in_word =
                at > 0 && (self.text[at - 1] == b'_' || self.text[at - 1].is_ascii_alphanumeric());
            if rest.starts_with(b"//") {
                let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                self.blank(end);
            } else if rest.starts_with(b"/*") {
                self.blank(block_comment(rest));
            } else if let Some(hashes) = raw_text(rest).filter(|_| !in_word) {
                self.raw(hashes);
            } else if rest[0] == b'"' {
                self.quoted();
            } else if let Some(length) = character(rest) {
                self.blank(length);
            } else {
                self.code.push(rest[0]);
            }
        }
    }

    /// Replaces all but line ends by spaces.
    fn blank(&mut self, length: usize) {
        let at = self.code.len();
        let blank = |&byte: &u8| if byte == b'\n' { b'\n' } else { b' ' };
        self.code
            .extend(self.text[at..at + length].iter().map(blank));
    }

    fn raw(&mut self, hashes: usize) {
        let offset = self.code.len();
        let rest = &self.text[offset..];
        let begin = 2 + hashes;
        let mut close = vec![b'"'];
        close.resize(1 + hashes, b'#');
        let length = rest[begin..]
            .windows(close.len())
            .position(|window| window == close)
            .unwrap();
        let value = String::from_utf8(rest[begin..begin + length].to_vec()).unwrap();
        self.texts.push(Text { offset, value });
        self.blank(begin + length + close.len());
    }

    fn quoted(&mut self) {
        let offset = self.code.len();
        let rest = &self.text[offset..];
        let mut end = 1;
        while rest[end] != b'"' {
            end += 1 + usize::from(rest[end] == b'\\');
        }
        let inside = std::str::from_utf8(&rest[1..end]).unwrap();
        let value = unescape(inside);
        self.texts.push(Text { offset, value });
        self.code.push(b'"');
        self.blank(end - 1);
        self.code.push(b'"');
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
}

/// How many `#` a raw text has, if one begins here.
fn raw_text(rest: &[u8]) -> Option<usize> {
    let after = rest.strip_prefix(b"r")?;
    let hashes = after.iter().take_while(|&&byte| byte == b'#').count();
    (after.get(hashes) == Some(&b'"')).then_some(hashes)
}

/// The length of a character literal; a lifetime has no second quote.
fn character(rest: &[u8]) -> Option<usize> {
    if rest[0] != b'\'' {
        return None;
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(16)])
        .unwrap_or_else(|error| std::str::from_utf8(&rest[1..=error.valid_up_to()]).unwrap());
    if text.starts_with('\\') {
        return text[2..].find('\'').map(|end| end + 4);
    }
    let first = text.chars().next()?.len_utf8();
    text[first..].starts_with('\'').then_some(first + 2)
}

fn unescape(inside: &str) -> String {
    let mut value = String::new();
    let mut rest = inside.chars().peekable();
    while let Some(next) = rest.next() {
        if next != '\\' {
            value.push(next);
            continue;
        }
        match rest.next() {
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some('\n') => while rest.next_if(|next| next.is_whitespace()).is_some() {},
            Some(other) => value.push(other),
            None => {}
        }
    }
    value
}

/// From each `#[cfg(test)]` to the end of its braces.
fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut items = Vec::new();
    for (begin, _) in code.match_indices("#[cfg(test)]") {
        let Some(open) = code[begin..].find(['{', ';']).map(|at| begin + at) else {
            continue;
        };
        if code.as_bytes()[open] == b';' {
            continue;
        }
        let mut depth = 0;
        let close = code[open..].find(|next| {
            depth += match next {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        items.push(begin..close.map_or(code.len(), |at| open + at + 1));
    }
    items
}

#[test]
fn comments_texts_and_characters_are_no_code() {
    let text = "let a = \"x // y\"; // b\nlet c = '\"'; /* d /* e */ f */ let g: &'a str = r#\"h\"i\"#;\n'\\'' 'ä' k";
    let source = Source::cut("a.rs", text);
    assert_eq!(source.code.len(), text.len());
    for gone in ["b", "d", "e", "f", "y", "h", "ä"] {
        assert!(source.find(gone).is_empty(), "{gone} in {}", source.code);
    }
    let said: Vec<&str> = source
        .texts
        .iter()
        .map(|text| text.value.as_str())
        .collect();
    assert_eq!(said, ["x // y", "h\"i"]);
    assert_eq!(source.line(source.find("k")[0]), 3);
}

#[test]
fn a_test_ends_with_its_braces() {
    let source = Source::cut(
        "a.rs",
        "a();\n#[cfg(test)]\nmod tests { fn x() { a(); } }\na();",
    );
    let lines: Vec<usize> = source
        .find("a()")
        .into_iter()
        .map(|at| source.line(at))
        .collect();
    assert_eq!(lines, [1, 4]);
}
