#!/usr/bin/env bash
# Guess: franz-go's RecordDeliveryTimeout bounds how long Produce works on a record, counted from Produce. A record's Timestamp is data that consumers see.
# Found (franz-go 1.22.3): the time is counted from the record's Timestamp. One that is written again under the time of its first writing, an hour ago, is tried once; where
# that fails, because the broker is about to start again, it ends with "records have timed out before they were able to be produced" at once, while the same record without a
# Timestamp is written by the second try. Exits 1 if the old record is written too.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func write(at time.Time) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "wakeups"))
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) { // the first try fails
		req := r.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		part := kmsg.NewProduceResponseTopicPartition()
		part.ErrorCode = kerr.NotLeaderForPartition.Code
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	client, _ := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordDeliveryTimeout(30*time.Second),
		kgo.DisableIdempotentWrite())
	defer client.Close()
	return client.ProduceSync(context.Background(), &kgo.Record{Topic: "wakeups", Value: []byte("x"), Timestamp: at}).FirstErr()
}

func main() {
	fmt.Println("without a timestamp:", write(time.Time{}))
	fmt.Println("an hour old:", write(time.Now().Add(-time.Hour)))
}
GO
go mod init x >/dev/null 2>&1
go get github.com/twmb/franz-go@v1.22.3 github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . | tee seen
if ! grep -q "without a timestamp: <nil>" seen || ! grep -q "an hour old: records have timed out" seen; then
	echo "the behaviour has changed" >&2
	exit 1
fi
