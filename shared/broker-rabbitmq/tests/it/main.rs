//! What the broker over RabbitMQ promises, on a real server.

mod alarm;
mod bench;
mod check;
mod contract;
mod deadline;
mod disruption;
mod forbidden;
mod garbage;
mod load;
mod pace;
mod refused;
mod sharing;
mod silence;
mod supervision;
mod tls;
mod unsent;
mod wiped;
