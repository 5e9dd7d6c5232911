//! How are server-sent events cut out of a stream of bytes, within bounds?

/// One event with its fields; an event without a name is a `message`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RawEvent {
    pub name: String,
    pub id: Option<String>,
    pub data: String,
}

/// One event is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Bytes in, events out, wherever the bytes are cut.
pub(crate) struct Parser {
    line: Vec<u8>,
    event: RawEvent,
    has_data: bool,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    after_cr: bool,
    bytes_max: usize,
}

impl Parser {
    pub fn new(bytes_max: usize) -> Self {
        Self { line: Vec::new(), event: RawEvent::default(), has_data: false, after_cr: false, bytes_max }
    }

    /// The events that end within these bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<RawEvent>, TooLarge> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                byte => self.line.push(*byte),
            }
            self.after_cr = *byte == b'\r';
            if self.line.len() + self.event.data.len() > self.bytes_max {
                return Err(TooLarge);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<RawEvent> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            // `retry`, comments (which are pings), and what is not known.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = ": ping\n\nevent: state\nid: 1-0\ndata: {\"a\":\ndata: 1}\n\r\nevent:progress\rdata:x\r\rdata\n\nevent: lost\n";

    fn event(name: &str, id: Option<&str>, data: &str) -> RawEvent {
        RawEvent { name: name.to_owned(), id: id.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let events = Parser::new(1_000).feed(STREAM.as_bytes()).expect("small");
        assert_eq!(events, [event("state", Some("1-0"), "{\"a\":\n1}"), event("progress", None, "x"), event("", None, "")]);
    }

    #[test]
    fn an_event_without_an_end_is_refused_in_time() {
        assert_eq!(Parser::new(100).feed(&[b'x'; 101]), Err(TooLarge));
        assert_eq!(Parser::new(100).feed("data: 0123456789\n".repeat(20).as_bytes()), Err(TooLarge));
        let many = Parser::new(100).feed("data: 0123456789\n\n".repeat(20).as_bytes());
        assert_eq!(many.map(|events| events.len()), Ok(20));
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_does_not_matter(cuts in proptest::collection::vec(0..STREAM.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::new(1_000);
            let parts = cuts.windows(2).map(|cut| &STREAM.as_bytes()[cut[0]..cut[1]]);
            let events: Vec<RawEvent> = parts.flat_map(|part| parser.feed(part).expect("small")).collect();
            prop_assert_eq!(events, Parser::new(1_000).feed(STREAM.as_bytes()).expect("small"));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = Parser::new(200).feed(&bytes);
        }
    }
}
