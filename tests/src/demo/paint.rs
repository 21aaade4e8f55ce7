//! Colours, where the terminal has them.

/// A colour of the terminal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
    /// A heading.
    Strong,
    /// Of less interest.
    Faint,
}

/// Colours text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether there are colours.
    pub color: bool,
}

impl Paint {
    /// The text in this colour.
    pub fn with(self, color: Color, text: &str) -> String {
        let code = match color {
            Color::Good => "32",
            Color::Bad => "31",
            Color::Strong => "1",
            Color::Faint => "2",
        };
        if self.color && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Breaks text between words into lines of at most `width` characters; a word
/// that is longer has a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Color, Paint, wrap};

    #[test]
    fn lines_break_between_words() {
        assert_eq!(
            wrap("ip link set eth0 up", 8),
            ["ip link", "set eth0", "up"]
        );
        assert_eq!(wrap("", 8), [""; 0]);
        assert_eq!(wrap("incomprehensible", 8), ["incomprehensible"]);
    }

    #[test]
    fn without_colours_text_is_plain() {
        assert_eq!(Paint { color: false }.with(Color::Good, "ok"), "ok");
        assert_eq!(
            Paint { color: true }.with(Color::Good, "ok"),
            "\x1b[32mok\x1b[0m"
        );
    }
}
