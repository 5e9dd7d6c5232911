//! How are words of a vocabulary read, when the server may know more of them than this client? The strange one is kept.

/// An enum of known words that keeps an unknown one as `Other`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$word_meta:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_meta])* $word,)+
            /// A word that this version does not know.
            Other(String),
        }

        impl $name {
            /// Every word that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$word,)+];

            /// The word as the API writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$word => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$word,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer).map(|text| Self::from(text.as_str()))
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    words! {
        /// For the test.
        Fruit { Apple = "apple", SourCherry = "sour_cherry", }
    }

    #[test]
    fn known_words_are_variants_and_unknown_ones_are_kept() {
        let read = |text: &str| serde_json::from_str::<Fruit>(text).expect("a word");
        assert_eq!((read("\"apple\""), read("\"sour_cherry\"")), (Fruit::Apple, Fruit::SourCherry));
        assert_eq!(read("\"durian\""), Fruit::Other("durian".to_owned()));
        assert_eq!(format!("[{:>8}]", Fruit::Apple), "[   apple]");
        assert_eq!(Fruit::ALL.len(), 2);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(text in "\\PC{0,20}") {
            let word = Fruit::from(text.as_str());
            prop_assert_eq!(word.as_str(), text.as_str());
        }
    }
}
