"""What stands on a topic, asked without a group."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from revocast_contracts.topics import Topic


async def log_ends(bootstrap: str, topic: Topic) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        ends = await consumer.end_offsets(places)
        return {place.partition: offset for place, offset in ends.items()}
    finally:
        await consumer.stop()


async def delete_records(bootstrap: str, topic: Topic) -> None:
    """Delete everything that the topic holds, as its retention would."""
    ends = await log_ends(bootstrap, topic)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(topic.name, shard): RecordsToDelete(before_offset=offset)
                for shard, offset in ends.items()
                if offset > 0
            }
        )
    finally:
        await admin.close()
