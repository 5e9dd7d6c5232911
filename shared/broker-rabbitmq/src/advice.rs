//! What can an operator do about a refusal? The exact command, where there is one.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError};

use crate::address::Address;
use crate::error::{CONNECTING, CallError, Refused, Why};

/// What this process configures, reads, and writes to: the last is also the default exchange, through which hints go to their queues.
const OURS: &str = r"^flotilla\.v1\..*";
const WRITTEN: &str = r"^(amq\.default|flotilla\.v1\..*)$";

/// What is refused, and what to do. `None`: it is no refusal.
pub(crate) fn of(error: &CallError, address: &Address) -> Option<String> {
    let (user, vhost) = (address.user(), &address.uri.vhost);
    let connecting = error.doing == CONNECTING;
    if error.refused() == Some(Refused::Forbidden) {
        return Some(if connecting {
            format!(
                "the login of user `{user}` is refused: correct user and password in FLOTILLA_BROKER_URL, or set the password: \
                 rabbitmqctl change_password {} PASSWORD",
                quoted(user)
            )
        } else {
            let needs = needed_for(error.doing);
            format!("user `{user}` lacks {needs} in virtual host `{vhost}`: {}", permit(user, vhost))
        });
    }
    let said = not_allowed(error).filter(|_| connecting)?;
    if said.contains("not found") {
        let make = format!("rabbitmqctl add_vhost {}", quoted(vhost));
        return Some(format!(
            "there is no virtual host `{vhost}`: correct FLOTILLA_BROKER_URL, or make it: {make} && {}",
            permit(user, vhost)
        ));
    }
    Some(format!("user `{user}` may not enter virtual host `{vhost}`: {}", permit(user, vhost)))
}

/// The command that permits all we do, and nothing else.
fn permit(user: &str, vhost: &str) -> String {
    let [vhost, user] = [vhost, user].map(quoted);
    format!("rabbitmqctl set_permissions -p {vhost} {user} '{OURS}' '{WRITTEN}' '{OURS}'")
}

/// The rights that the broker asks for when we do this. It does not always say itself which of them was missing.
fn needed_for(doing: &str) -> &'static str {
    match doing {
        "binding a queue" => "the permission to write (or to read the exchange that it binds to)",
        "publishing" | "announcing" => "the permission to write",
        "consuming" | "reading dead letters" => "the permission to read",
        _ => "the permission to configure (or to read, and to write to the exchange of dead letters)",
    }
}

/// What the broker says when it lets nobody in.
fn not_allowed(error: &CallError) -> Option<String> {
    let Why::Client(client) = &error.why else { return None };
    let ErrorKind::ProtocolError(refusal) = client.kind() else { return None };
    let refused = matches!(refusal.kind(), AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED));
    refused.then(|| refusal.get_message().to_string())
}

/// For a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_as_it_is() {
        assert_eq!(
            permit("fleet", "/"),
            r"rabbitmqctl set_permissions -p '/' 'fleet' '^flotilla\.v1\..*' '^(amq\.default|flotilla\.v1\..*)$' '^flotilla\.v1\..*'"
        );
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn what_is_no_refusal_needs_no_permission() {
        let address = Address::parse("amqp://u:s3cret@h/v", None).expect("a good URL");
        assert_eq!(of(&CallError::ended(CONNECTING, "gone"), &address), None);
    }
}
