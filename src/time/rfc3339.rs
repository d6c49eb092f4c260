//! Timestamps in what people read are RFC 3339 text; in a call's record they stay numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() { serializer.collect_str(at) } else { at.serialize(serializer) }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    use serde::de::Error;
    if !deserializer.is_human_readable() {
        return Timestamp::deserialize(deserializer);
    }
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
    u64::try_from(at.as_microsecond()).map(Timestamp::from_micros).map_err(D::Error::custom)
}

pub(crate) mod option {
    //! The same for a timestamp that may be missing.

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::time::Timestamp;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Readable(#[serde(with = "super")] Timestamp);

    pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Readable).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Readable>::deserialize(deserializer)?.map(|readable| readable.0))
    }
}
