//! What must exist in RabbitMQ: names, types and arguments, as data. Versioned: changed arguments mean new names (`v2`) and a
//! migration, never a second declaration of the same name.

use domain::{Class, Priority, QueueName};
use lapin::types::{AMQPValue, FieldTable};

use crate::error::CallError;
use crate::options::QueueType;

/// Where rejected messages go; the routing key they were published with (the class queue's name) finds their queue.
pub(crate) const DEAD_EXCHANGE: &str = "flotilla.v1.dlx";
/// Drained by a duty, so that dead letters show.
pub(crate) const DEAD_RECORDER: &str = "flotilla.v1.dead_recorder";
/// Deliveries after which a quorum queue gives a message up.
const DELIVERY_LIMIT: i32 = 20;
/// Messages for operators that a dead queue keeps; the oldest go first.
const DEAD_QUEUE_MESSAGES_MAX: i32 = 10_000;
/// Bytes of them.
const DEAD_QUEUE_BYTES_MAX: i32 = 64 * 1024 * 1024;
/// Dead letters that wait to be recorded. More means that the schedulers are away, and what is lost here is in the ledger.
const DEAD_RECORDER_MESSAGES_MAX: i32 = 100_000;

/// The queue of a class.
pub(crate) fn class_queue(class: &Class) -> String {
    format!("flotilla.v1.{}.p{}", class.queue, class.priority.code())
}

/// The queue of jobs that a class queue's name is about.
pub(crate) fn queue_of(class_queue: &str) -> Option<QueueName> {
    let (queue, _) = class_queue.strip_prefix("flotilla.v1.")?.rsplit_once(".p")?;
    queue.parse().ok()
}

/// The dead letters of a queue, for operators and other systems.
pub(crate) fn dead_queue(queue: &QueueName) -> String {
    format!("flotilla.v1.dead.{queue}")
}

/// The one name that cannot be used: the class queues of `dead` would be the dead queues of the queues `p0` to `p4`.
const RESERVED: &str = "dead";

/// Whether a queue of jobs can have this name.
pub(crate) fn usable(queue: &QueueName) -> Result<(), CallError> {
    const WHY: &str = "no queue can be called `dead` with RabbitMQ: its names are taken by what holds dead letters";
    if queue.as_str() == RESERVED { Err(CallError::ended("declaring queues", WHY)) } else { Ok(()) }
}

pub(crate) fn classes(queue: &QueueName) -> [Class; 5] {
    Priority::ALL.map(|priority| Class { queue: queue.clone(), priority })
}

/// One argument of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    Text(&'static str),
    Number(i32),
}

/// A durable queue and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    pub name: String,
    pub arguments: Vec<(&'static str, Argument)>,
}

impl Queue {
    pub fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, argument) in &self.arguments {
            let value = match argument {
                Argument::Text(text) => AMQPValue::LongString((*text).into()),
                Argument::Number(number) => AMQPValue::LongInt(*number),
            };
            table.insert((*name).into(), value);
        }
        table
    }
}

/// A binding of a queue to the dead-letter exchange, by a topic pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    pub queue: String,
    pub pattern: String,
}

/// What one queue of jobs needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueTopology {
    /// In the order of importance.
    pub classes: Vec<(Class, Queue)>,
    pub dead: Queue,
    pub binding: Binding,
}

pub(crate) fn of_queue(queue: &QueueName, queue_type: QueueType) -> QueueTopology {
    let classes = classes(queue).map(|class| (class.clone(), of_class(&class, queue_type)));
    let dead = Queue { name: dead_queue(queue), arguments: bounded(DEAD_QUEUE_MESSAGES_MAX) };
    let binding = Binding { queue: dead.name.clone(), pattern: format!("flotilla.v1.{queue}.*") };
    QueueTopology { classes: classes.into(), dead, binding }
}

pub(crate) fn of_class(class: &Class, queue_type: QueueType) -> Queue {
    use Argument::{Number, Text};
    let mut arguments = vec![("x-queue-type", Text(queue_type.as_str())), ("x-dead-letter-exchange", Text(DEAD_EXCHANGE))];
    if queue_type == QueueType::Quorum {
        arguments.extend([
            ("x-delivery-limit", Number(DELIVERY_LIMIT)),
            ("x-dead-letter-strategy", Text("at-least-once")),
            ("x-overflow", Text("reject-publish")),
        ]);
    }
    Queue { name: class_queue(class), arguments }
}

/// What all queues share: the recorder, which gets everything that was dead-lettered.
pub(crate) fn recorder() -> (Queue, Binding) {
    let queue = Queue { name: DEAD_RECORDER.to_owned(), arguments: bounded(DEAD_RECORDER_MESSAGES_MAX) };
    (queue, Binding { queue: DEAD_RECORDER.to_owned(), pattern: "#".to_owned() })
}

/// Classic also where class queues are quorum queues: at-least-once dead-lettering needs targets that take everything.
fn bounded(messages_max: i32) -> Vec<(&'static str, Argument)> {
    use Argument::{Number, Text};
    vec![
        ("x-queue-type", Text("classic")),
        ("x-max-length", Number(messages_max)),
        ("x-max-length-bytes", Number(DEAD_QUEUE_BYTES_MAX)),
        ("x-overflow", Text("drop-head")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changing a line of this means new names: a queue that exists cannot be declared with other arguments.
    #[test]
    fn the_topology_is_this() {
        let queue = QueueName::of("webhooks");
        let shown = |queue_type| {
            let QueueTopology { classes, dead, binding } = of_queue(&queue, queue_type);
            let queues: Vec<Queue> = classes.into_iter().map(|(_, queue)| queue).chain([dead, recorder().0]).collect();
            let line = |queue: &Queue| {
                let arguments: Vec<String> = queue.arguments.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
                format!("{}: {}\n", queue.name, arguments.join(" "))
            };
            let bindings = [binding, recorder().1].map(|binding| format!("{DEAD_EXCHANGE} -{}-> {}\n", binding.pattern, binding.queue));
            queues.iter().map(line).chain(bindings).collect::<String>()
        };
        insta::assert_snapshot!("quorum", shown(QueueType::Quorum));
        insta::assert_snapshot!("classic", shown(QueueType::Classic));
    }

    /// A queue's name may hold no dot, so that nothing else collides.
    #[test]
    fn the_reserved_name_is_the_one_that_collides() {
        let (dead, p2) = (QueueName::of("dead"), QueueName::of("p2"));
        assert!(classes(&dead).iter().any(|class| class_queue(class) == dead_queue(&p2)));
        assert!(usable(&dead).is_err() && usable(&p2).is_ok());
    }

    fn text(argument: &Argument) -> String {
        match argument {
            Argument::Text(text) => (*text).to_owned(),
            Argument::Number(number) => number.to_string(),
        }
    }
}
