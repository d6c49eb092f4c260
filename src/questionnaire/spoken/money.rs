//! Currencies in words: `twelve dollars and fifty cents`.

use super::amount::Amount;
use super::{Agrees, Words};

/// A currency, by its code of ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency(usize);

/// How much of its smaller unit a currency has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    /// A hundred.
    Hundred,
    /// None that is used.
    None,
}

use Parts::{Hundred, None as Whole};

/// Codes, and their words in the order of [`super::LANGUAGES`]: `one|many|small one|small many`; `~` before a word
/// makes it feminine.
#[rustfmt::skip]
const TABLE: [(&str, Parts, [&str; 6]); 19] = [
    ("AUD", Hundred, ["dollar|dollars|cent|cents", "dola|dola|senti|senti", "dollar|dollars|cent|cents", "dólar|dólares|centavo|centavos", "Dollar|Dollar|Cent|Cent", "dólar|dólares|centavo|centavos"]),
    ("BRL", Hundred, ["real|reais|centavo|centavos", "reali|reali|senti|senti", "real|reais|centavo|centavos", "real|reales|centavo|centavos", "Real|Real|Centavo|Centavos", "real|reais|centavo|centavos"]),
    ("CAD", Hundred, ["dollar|dollars|cent|cents", "dola|dola|senti|senti", "dollar|dollars|cent|cents", "dólar|dólares|centavo|centavos", "Dollar|Dollar|Cent|Cent", "dólar|dólares|centavo|centavos"]),
    ("CHF", Hundred, ["franc|francs|centime|centimes", "faranga|faranga|senti|senti", "franc|francs|centime|centimes", "franco|francos|céntimo|céntimos", "Franken|Franken|Rappen|Rappen", "franco|francos|cêntimo|cêntimos"]),
    ("ETB", Hundred, ["birr|birr|santim|santim", "birr|birr|santimu|santimu", "birr|birrs|santim|santims", "birr|birres|céntimo|céntimos", "Birr|Birr|Santim|Santim", "birr|birres|cêntimo|cêntimos"]),
    ("EUR", Hundred, ["euro|euros|cent|cents", "yuro|yuro|senti|senti", "euro|euros|centime|centimes", "euro|euros|céntimo|céntimos", "Euro|Euro|Cent|Cent", "euro|euros|cêntimo|cêntimos"]),
    ("GBP", Hundred, ["pound|pounds|penny|pence", "pauni|pauni|peni|peni", "~livre|~livres|penny|pence", "~libra|~libras|penique|peniques", "Pfund|Pfund|Penny|Pence", "~libra|~libras|pêni|pence"]),
    ("GHS", Hundred, ["cedi|cedis|pesewa|pesewas", "sedi|sedi|pesewa|pesewa", "cédi|cédis|pesewa|pesewas", "cedi|cedis|pesewa|pesewas", "Cedi|Cedis|Pesewa|Pesewas", "cedi|cedis|pesewa|pesewas"]),
    ("INR", Hundred, ["rupee|rupees|paisa|paise", "rupia|rupia|paisa|paisa", "~roupie|~roupies|paisa|paise", "~rupia|~rupias|paisa|paisas", "~Rupie|~Rupien|Paisa|Paisa", "~rupia|~rupias|paisa|paisas"]),
    ("KES", Hundred, ["shilling|shillings|cent|cents", "shilingi|shilingi|senti|senti", "shilling|shillings|cent|cents", "chelín|chelines|centavo|centavos", "Schilling|Schilling|Cent|Cent", "xelim|xelins|cêntimo|cêntimos"]),
    ("MXN", Hundred, ["peso|pesos|centavo|centavos", "peso|peso|senti|senti", "peso|pesos|centavo|centavos", "peso|pesos|centavo|centavos", "Peso|Pesos|Centavo|Centavos", "peso|pesos|centavo|centavos"]),
    ("NGN", Hundred, ["naira|naira|kobo|kobo", "naira|naira|kobo|kobo", "naira|nairas|kobo|kobos", "naira|nairas|kobo|kobos", "Naira|Naira|Kobo|Kobo", "naira|nairas|kobo|kobos"]),
    ("RWF", Whole, ["franc|francs||", "faranga|faranga||", "franc|francs||", "franco|francos||", "Franc|Franc||", "franco|francos||"]),
    ("TZS", Hundred, ["shilling|shillings|cent|cents", "shilingi|shilingi|senti|senti", "shilling|shillings|cent|cents", "chelín|chelines|centavo|centavos", "Schilling|Schilling|Cent|Cent", "xelim|xelins|cêntimo|cêntimos"]),
    ("UGX", Whole, ["shilling|shillings||", "shilingi|shilingi||", "shilling|shillings||", "chelín|chelines||", "Schilling|Schilling||", "xelim|xelins||"]),
    ("USD", Hundred, ["dollar|dollars|cent|cents", "dola|dola|senti|senti", "dollar|dollars|cent|cents", "dólar|dólares|centavo|centavos", "Dollar|Dollar|Cent|Cent", "dólar|dólares|centavo|centavos"]),
    ("XAF", Whole, ["franc|francs||", "faranga|faranga||", "franc|francs||", "franco|francos||", "Franc|Franc||", "franco|francos||"]),
    ("XOF", Whole, ["franc|francs||", "faranga|faranga||", "franc|francs||", "franco|francos||", "Franc|Franc||", "franco|francos||"]),
    ("ZAR", Hundred, ["rand|rand|cent|cents", "randi|randi|senti|senti", "rand|rands|cent|cents", "rand|rands|centavo|centavos", "Rand|Rand|Cent|Cent", "rand|rands|centavo|centavos"]),
];

impl Currency {
    pub(super) fn of(code: &str) -> Option<Self> {
        TABLE.iter().position(|(known, ..)| *known == code).map(Self)
    }

    pub(super) fn known() -> String {
        TABLE.map(|(code, ..)| code).join(", ")
    }

    /// Its code of ISO 4217.
    #[must_use]
    pub fn code(self) -> &'static str {
        TABLE.get(self.0).map_or("", |(code, ..)| code)
    }

    pub(super) fn example(self) -> String {
        match self.parts() {
            Hundred => "an amount in digits, such as 1250 or 12.50".to_owned(),
            Whole => "an amount in whole numbers, such as 1250".to_owned(),
        }
    }

    /// Whether there are coins for this amount.
    pub(super) fn holds(self, amount: &Amount) -> bool {
        match (self.parts(), amount.hundredths()) {
            (Whole, hundredths) => hundredths == Some(0),
            (Hundred, hundredths) => hundredths.is_some(),
        }
    }

    fn parts(self) -> Parts {
        TABLE.get(self.0).map_or(Whole, |(_, parts, _)| *parts)
    }

    pub(super) fn say(self, words: &Words, amount: &Amount) -> Option<String> {
        let (_, _, languages) = TABLE.get(self.0)?;
        let language = super::LANGUAGES.iter().position(|language| *language == words.language)?;
        let mut forms = languages.get(language)?.split('|');
        let (one, many) = (forms.next()?, forms.next()?);
        let (small_one, small_many) = (forms.next()?, forms.next()?);
        if !self.holds(amount) {
            return None;
        }
        let hundredths = amount.hundredths()?;
        let mut said = Vec::new();
        if amount.integer > 0 || hundredths == 0 {
            said.push(count(words, amount.integer, one, many));
        }
        if hundredths > 0 {
            said.push(count(words, hundredths, small_one, small_many));
        }
        let said = said.join(&format!(" {} ", words.and));
        let negative = amount.negative && (amount.integer > 0 || hundredths > 0);
        Some(if negative { format!("{} {said}", words.minus) } else { said })
    }
}

fn count(words: &Words, number: u64, one: &str, many: &str) -> String {
    // French counts nothing in the singular; the others in the plural.
    let singular = number == 1 || number == 0 && words.language == "fr";
    let form = if singular { one } else { many };
    let (agrees, form) = match form.strip_prefix('~') {
        Some(form) => (Agrees::Feminine, form),
        None => (Agrees::Masculine, form),
    };
    (words.counted)(number, agrees, form)
}
