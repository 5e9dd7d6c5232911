//! What a one-process fleet reads before it starts.

use std::net::SocketAddr;

use bootstrap::{EngineSettings, Seats, read_slots};
use domain::QueueName;
use settings::{ListenAddress, Reader, SettingsError, Source, vars};
use webhooks_worker::WebhooksSettings;
use webhooks_worker::guard::GuardPolicy;

pub struct FleetSettings {
    pub engine: EngineSettings,
    pub guard: GuardPolicy,
    pub listen: SocketAddr,
    pub slots: u32,
    pub queues: Vec<QueueName>,
}

impl FleetSettings {
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(source);
        let read = Self {
            engine: EngineSettings::read(&mut reader, Seats::AllRoles),
            guard: WebhooksSettings::read(&mut reader),
            listen: reader.get::<ListenAddress>(&vars::LISTEN).0,
            slots: read_slots(&mut reader),
            queues: reader.list(&vars::QUEUES),
        };
        reader.finish(read)
    }
}
