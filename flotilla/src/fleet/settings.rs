//! What a one-process fleet reads before it starts.

use bootstrap::{ApiSettings, EngineSettings, Seats, read_slots};
use domain::QueueName;
use settings::{Reader, SettingsError, Source, vars};
use webhooks_worker::WebhooksSettings;
use webhooks_worker::guard::GuardPolicy;

pub struct FleetSettings {
    pub engine: EngineSettings,
    pub guard: GuardPolicy,
    pub api: ApiSettings,
    pub slots: u32,
    pub queues: Vec<QueueName>,
}

impl FleetSettings {
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(source);
        let read = Self {
            engine: EngineSettings::read(&mut reader, Seats::AllRoles),
            guard: WebhooksSettings::read(&mut reader),
            api: ApiSettings::read(&mut reader),
            slots: read_slots(&mut reader),
            queues: reader.list(&vars::QUEUES),
        };
        reader.finish(read)
    }
}
