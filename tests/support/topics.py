"""What stands on a topic, asked without a group."""

from aiokafka import AIOKafkaConsumer, TopicPartition

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
