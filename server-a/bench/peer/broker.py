"""The peer's way to RabbitMQ."""
import json
from typing import Any

import aio_pika
from settings import settings


class Broker:
    """One connection that restores itself, and one channel with publisher confirms."""

    async def start(self) -> None:
        self.connection = await aio_pika.connect_robust(settings.rabbitmq_url)
        self.channel = await self.connection.channel(publisher_confirms=True, on_return_raises=True)
        quorum = {"x-queue-type": "quorum"}
        dead = f"{settings.outbound_queue}.dead"
        to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
        await self.channel.declare_queue(dead, durable=True, arguments=quorum)
        await self.channel.declare_queue(
            settings.outbound_queue, durable=True, arguments={**quorum, **to_dead}
        )
        await self.channel.declare_queue(settings.heartbeat_queue, durable=True, arguments=quorum)

    async def publish(self, queue: str, content: dict[str, Any]) -> None:
        """Returns when the broker has confirmed; raises when it has no such queue, or refuses."""
        message = aio_pika.Message(
            json.dumps(content, ensure_ascii=False).encode(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self.channel.default_exchange.publish(message, routing_key=queue, mandatory=True)


broker = Broker()
