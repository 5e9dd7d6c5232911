//! What is shown again and again: in its place on a terminal, as lines elsewhere.

use super::say::{self, Readers};

/// The last picture on a terminal.
#[derive(Default)]
pub struct Screen {
    lines: usize,
}

impl Screen {
    /// Draws over the last picture.
    pub fn draw(&mut self, picture: &str) -> Readers {
        say::piece(&self.drawn(picture))
    }

    fn drawn(&mut self, picture: &str) -> String {
        // Up to the first line of the last picture, and clear what is below.
        let back = if self.lines > 0 { format!("\u{1b}[{}A\r\u{1b}[J", self.lines) } else { String::new() };
        self.lines = picture.lines().count();
        format!("{back}{}\n", picture.trim_end_matches('\n'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_takes_the_place_of_the_last() {
        let mut screen = Screen::default();
        assert_eq!(screen.drawn("a\nb"), "a\nb\n");
        assert_eq!(screen.drawn("c"), "\u{1b}[2A\r\u{1b}[Jc\n");
        assert_eq!(screen.drawn("d\ne"), "\u{1b}[1A\r\u{1b}[Jd\ne\n");
    }
}
