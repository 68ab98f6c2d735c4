//! The parameters of one `permessage-deflate` element, as far as offer and response have them in common: RFC 7692
//! sections 7 and 7.1.

use core::fmt;

use super::extensions::{Parameters, Value};
use super::negotiation_error::NegotiationError;
use super::window_bits::WindowBits;

/// The name of the extension. Like all names in this header it is compared exactly.
pub(super) const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What an element has. The inner option is the value, where one may be left out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Element {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<WindowBits>,
    pub(super) client_max_window_bits: Option<Option<WindowBits>>,
}

impl Element {
    /// Stops at the first defect, so that an element with very many parameters costs no more than one with five.
    pub(super) fn parse(parameters: Parameters<'_>) -> Result<Self, NegotiationError> {
        let mut element = Self::default();
        for parameter in parameters {
            let parameter = parameter?;
            let name = core::str::from_utf8(parameter.name).unwrap_or_default();
            let repeated = match name {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    no_value(parameter.value)?;
                    core::mem::replace(&mut element.server_no_context_takeover, true)
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    no_value(parameter.value)?;
                    core::mem::replace(&mut element.client_no_context_takeover, true)
                }
                SERVER_MAX_WINDOW_BITS => {
                    let bits = window_bits(parameter.value)?.ok_or(NegotiationError::InvalidValue)?;
                    element.server_max_window_bits.replace(bits).is_some()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    element.client_max_window_bits.replace(window_bits(parameter.value)?).is_some()
                }
                _ => return Err(NegotiationError::UnknownParameter),
            };
            if repeated {
                return Err(NegotiationError::RepeatedParameter);
            }
        }
        Ok(element)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
        }
        if self.client_no_context_takeover {
            write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        match self.client_max_window_bits {
            None => Ok(()),
            Some(None) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            Some(Some(bits)) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
        }
    }
}

/// RFC 7692 sections 7.1.1.1 and 7.1.1.2: "This extension parameter has no value."
const fn no_value(value: Value<'_>) -> Result<(), NegotiationError> {
    match value {
        Value::Absent => Ok(()),
        Value::Token(_) | Value::Quoted => Err(NegotiationError::InvalidValue),
    }
}

/// RFC 6455 section 9.1 has quoted strings as another way to write a token, but RFC 7692 sections 7.1.2.1 and 7.1.2.2
/// say that the value "MUST conform to the ABNF", which is `1*DIGIT`. So `"10"` is taken for what it is, no digits: two
/// recipients that differ on it would differ on the window, and no compressor is worth that.
fn window_bits(value: Value<'_>) -> Result<Option<WindowBits>, NegotiationError> {
    match value {
        Value::Absent => Ok(None),
        Value::Token(value) => WindowBits::parse(value).map(Some).ok_or(NegotiationError::InvalidValue),
        Value::Quoted => Err(NegotiationError::InvalidValue),
    }
}
