//! The topics of a new network on a broker that may have served another one.

use serai_bus::{Bus, BusError};
use serai_messages::Topic;

use super::{BusChoice, ClusterError, Layout};
use crate::report::bus_settings;

/// Makes sure that a new network does not read what another one of the same names has left on a
/// Kafka broker: `--fresh` drops those records, otherwise they are an error.
///
/// # Errors
/// When the broker does not answer, or holds records.
pub(super) async fn clear(layout: &Layout) -> Result<(), ClusterError> {
    if layout.resumed() || layout.settings().bus == BusChoice::Embedded {
        return Ok(());
    }
    let fault = |source| ClusterError::Bus { bus: layout.settings().bus.to_string(), source };
    let coins = layout.settings().coins.iter().map(|coin| Topic::Chain(*coin));
    let topics: Vec<Topic> =
        coins.chain([Topic::Serai, Topic::Public, Topic::DeadLetter]).collect();
    for name in &layout.settings().validators {
        let bus = serai_bus::connect(&bus_settings(layout, name), false).map_err(fault)?;
        for topic in &topics {
            let topic = topic.full_name(name);
            let held = holds_records(bus.as_ref(), &topic).await.map_err(fault)?;
            match held {
                None => {}
                Some(_) if !layout.fresh() => return Err(ClusterError::ForeignTopic(topic)),
                Some(next) => bus.truncate(&topic, next).await.map_err(fault)?,
            }
        }
    }
    Ok(())
}

/// The offset after the newest record; `None` where there are no records.
async fn holds_records(bus: &dyn Bus, topic: &str) -> Result<Option<u64>, BusError> {
    match bus.info(topic).await {
        Ok(info) => Ok((info.earliest < info.next).then_some(info.next)),
        Err(BusError::UnknownTopic { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
