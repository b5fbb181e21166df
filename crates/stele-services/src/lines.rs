//! On which line of a JSON text each value begins, by JSON pointer.

use std::collections::BTreeMap;

/// The lines of all values of a JSON text that has been parsed before; what is not JSON gives a shorter map, never a panic.
pub(crate) fn lines(text: &str) -> BTreeMap<String, usize> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        found: BTreeMap::new(),
    };
    scanner.value(&mut String::new(), 0);
    scanner.found
}

/// serde_json refuses what is nested deeper.
const DEPTH_MAX: usize = 128;

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    found: BTreeMap<String, usize>,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn space(&mut self) -> Option<u8> {
        while self.bytes.get(self.at)?.is_ascii_whitespace() {
            self.next();
        }
        self.bytes.get(self.at).copied()
    }

    /// Reads a string after its opening quotation mark; escapes stay as they are.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    self.next()?;
                }
                _ => {}
            }
        }
        String::from_utf8(self.bytes[start..self.at - 1].to_vec()).ok()
    }

    fn value(&mut self, path: &mut String, depth: usize) -> Option<()> {
        let first = self.space()?;
        self.found.insert(path.clone(), self.line);
        if depth == DEPTH_MAX {
            return None;
        }
        match first {
            b'{' | b'[' => self.container(path, depth, first == b'{'),
            b'"' => {
                self.next();
                self.string().map(|_| ())
            }
            _ => {
                while self
                    .bytes
                    .get(self.at)
                    .is_some_and(|byte| !b",]} \t\r\n".contains(byte))
                {
                    self.next();
                }
                Some(())
            }
        }
    }

    fn container(&mut self, path: &mut String, depth: usize, is_map: bool) -> Option<()> {
        self.next();
        let length = path.len();
        let mut index = 0;
        loop {
            match self.space()? {
                b'}' | b']' => {
                    self.next();
                    return Some(());
                }
                b',' => {
                    self.next();
                }
                _ => {
                    path.push('/');
                    if is_map {
                        self.next();
                        let key = self.string()?;
                        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                        self.space()?;
                        self.next();
                    } else {
                        path.push_str(&index.to_string());
                    }
                    self.value(path, depth + 1)?;
                    path.truncate(length);
                    index += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_their_lines() {
        let found = lines("{\n \"a\": [1,\n  {\"b/c\": \"x\\\"\n\"}],\n\n \"d\": true\n}");
        let expected = [
            ("", 1),
            ("/a", 2),
            ("/a/0", 2),
            ("/a/1", 3),
            ("/a/1/b~1c", 3),
            ("/d", 6),
        ];
        let expected: BTreeMap<_, _> = expected.map(|(path, line)| (path.to_owned(), line)).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_json_ends_early() {
        for text in ["", "{", "[1", "{\"a", "\"\\", &"[".repeat(100_000)] {
            assert!(lines(text).len() <= DEPTH_MAX + 1);
        }
    }
}
