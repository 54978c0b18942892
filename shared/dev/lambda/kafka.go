package lambda

import (
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// KafkaEvent is the event that Lambda makes of messages of a self-managed Kafka's topic.
func KafkaEvent(ds []queue.Delivery) (events.KafkaEvent, error) {
	e := events.KafkaEvent{EventSource: "SelfManagedKafka", BootstrapServers: "127.0.0.1:9092",
		Records: map[string][]events.KafkaRecord{}}
	for _, d := range ds {
		topic, partition, offset, err := kafka.ParseHandle(d.Handle)
		if err != nil {
			return e, err
		}
		r := events.KafkaRecord{
			Topic: topic, Partition: int64(partition), Offset: offset, TimestampType: "CREATE_TIME",
			Timestamp: events.MilliSecondsEpochTime{Time: d.SentAt},
			Value:     base64.StdEncoding.EncodeToString([]byte(d.Body)),
		}
		for key, value := range queue.HeadersOf(d, d.Receives-1) {
			r.Headers = append(r.Headers, map[string]events.JSONNumberBytes{key: []byte(value)})
		}
		name := fmt.Sprintf("%s-%d", topic, partition)
		e.Records[name] = append(e.Records[name], r)
	}
	return e, nil
}
