//! Does this answer leave smaller? If the caller reads gzip or Brotli, and it is text that is there as a whole: never a stream.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use domain::bounds::{COMPRESSED_AT_ONCE_MAX, COMPRESSED_BYTES_MIN};
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::Semaphore;

/// Compressing less than this takes no longer than handing it to another thread.
const SMALL_BYTES_MAX: u64 = 32 * 1024;
/// More is not looked at: it is sent sooner than it is compressed.
const LARGE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Good enough for JSON at a tenth of the best one's cost.
const GZIP_LEVEL: u32 = 4;
const BROTLI_LEVEL: u32 = 4;
/// As powers of two: what Brotli looks back, which is most of its memory.
const BROTLI_WINDOW: u32 = 18;
const BROTLI_BUFFER: usize = 4_096;
/// Codings in a request beyond this many are not read.
const CODINGS_READ_MAX: usize = 32;

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    Gzip,
    Brotli,
}

/// Compresses answers; when the machine has enough to do, it lets them leave as they are.
#[derive(Clone)]
pub struct Press {
    turns: Arc<Semaphore>,
}

impl Default for Press {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(COMPRESSED_AT_ONCE_MAX)) }
    }
}

impl Coding {
    /// The best that the caller reads, or nothing: then the answer is sent as it is, which nobody can refuse here.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let (mut gzip, mut brotli, mut plain, mut others) = (None, None, None, None);
        let texts = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for item in texts.flat_map(|text| text.split(',')).take(CODINGS_READ_MAX) {
            let (name, weight) = weighed(item);
            match name.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(weight),
                "br" => brotli = Some(weight),
                "identity" => plain = Some(weight),
                "*" => others = Some(weight),
                _ => {}
            }
        }
        let weight = |named: Option<u16>| named.or(others).unwrap_or(0);
        let (gzip, brotli) = (weight(gzip), weight(brotli));
        let (best, coding) = if brotli >= gzip { (brotli, Self::Brotli) } else { (gzip, Self::Gzip) };
        (best > 0 && best >= plain.unwrap_or(0)).then_some(coding)
    }

    fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        })
    }

    fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut writer = GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
                writer.write_all(bytes)?;
                writer.finish()
            }
            Self::Brotli => {
                let mut writer = brotli::CompressorWriter::new(Vec::new(), BROTLI_BUFFER, BROTLI_LEVEL, BROTLI_WINDOW);
                writer.write_all(bytes)?;
                writer.flush()?;
                Ok(writer.into_inner())
            }
        }
    }
}

/// The name of a coding and its weight in thousandths; a weight that cannot be read is none.
fn weighed(item: &str) -> (&str, u16) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = match parameters.trim().split_once('=') {
        None => 1_000,
        Some((name, value)) if name.trim().eq_ignore_ascii_case("q") => thousandths(value.trim()).unwrap_or(0),
        Some(_) => 0,
    };
    (name.trim(), weight)
}

/// `0`, `0.5`, `1.000`: at most three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    let all = whole.parse::<u16>().ok()? * 1_000 + part;
    (all <= 1_000).then_some(all)
}

impl Press {
    /// The answer in `coding`, if that is worth it.
    pub async fn press(&self, coding: Option<Coding>, mut answer: Response) -> Response {
        let Some(size) = answer.body().size_hint().exact().filter(|size| is_worth_it(*size, &answer)) else { return answer };
        answer.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
        let Some(coding) = coding else { return answer };
        let turn = Arc::clone(&self.turns).try_acquire_owned();
        let (mut head, body) = answer.into_parts();
        let Ok(whole) = to_bytes(body, usize::try_from(LARGE_BYTES_MAX).unwrap_or(usize::MAX)).await else {
            // A body of known size is in memory; reading it cannot fail.
            return Response::from_parts(head, Body::empty());
        };
        let written = match turn {
            _ if size <= SMALL_BYTES_MAX => coding.compress(&whole).ok(),
            Ok(turn) => aside(coding, whole.clone(), turn).await,
            Err(_) => None,
        };
        match written {
            Some(written) if written.len() < whole.len() => {
                head.headers.insert(CONTENT_ENCODING, coding.name());
                head.headers.insert(CONTENT_LENGTH, HeaderValue::from(written.len()));
                Response::from_parts(head, Body::from(written))
            }
            Some(_) | None => Response::from_parts(head, Body::from(whole)),
        }
    }
}

async fn aside(coding: Coding, whole: Bytes, turn: tokio::sync::OwnedSemaphorePermit) -> Option<Vec<u8>> {
    let work = move || {
        let written = coding.compress(&whole).ok();
        drop(turn);
        written
    };
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

fn is_worth_it(size: u64, answer: &Response) -> bool {
    let headers = answer.headers();
    let is_text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.starts_with("text/") && essence != "text/event-stream"
            || matches!(essence, "application/json" | "application/javascript" | "image/svg+xml")
            || essence.ends_with("+json")
    });
    let is_whole = answer.status() != StatusCode::PARTIAL_CONTENT && !headers.contains_key(CONTENT_ENCODING);
    is_text && is_whole && (COMPRESSED_BYTES_MIN..=LARGE_BYTES_MAX).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read as _;

    fn accepted(text: &str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_bytes(text.as_bytes()).expect("a header's value"));
        Coding::accepted(&headers)
    }

    fn read_back(coding: Coding, written: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(written).read_to_end(&mut read).expect("gzip"),
            Coding::Brotli => brotli::Decompressor::new(written, 4_096).read_to_end(&mut read).expect("Brotli"),
        };
        read
    }

    #[test]
    fn the_best_of_what_is_read_is_taken() {
        for (text, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("gzip, deflate, br", Some(Coding::Brotli)),
            ("GZIP;q=1.0, br;q=0.9", Some(Coding::Gzip)),
            ("*", Some(Coding::Brotli)),
            ("*;q=0.1, br;q=0", Some(Coding::Gzip)),
            ("gzip;q=0.5, identity", None),
            ("identity;q=0", None),
            ("gzip;q=0", None),
            ("gzip;q=2", None),
            ("gzip;q=", None),
            ("gzip;level=9", None),
            ("deflate, zstd", None),
            ("", None),
            (",,;;q=,", None),
        ] {
            assert_eq!(accepted(text), coding, "{text}");
        }
        assert_eq!(Coding::accepted(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn hostile_headers_never_panic(text in "[ -~]{0,80}") {
            let _ = accepted(&text);
        }

        /// What nobody named is not sent.
        #[test]
        fn nothing_is_taken_that_was_not_named(names in prop::collection::vec("(deflate|zstd|identity|compress)(;q=0\\.[0-9]{1,3})?", 0..6)) {
            prop_assert_eq!(accepted(&names.join(",")), None);
        }

        #[test]
        fn what_is_written_reads_as_it_was(bytes in prop::collection::vec(any::<u8>(), 0..5_000)) {
            for coding in [Coding::Gzip, Coding::Brotli] {
                prop_assert_eq!(&read_back(coding, &coding.compress(&bytes).expect("memory only")), &bytes);
            }
        }
    }
}
