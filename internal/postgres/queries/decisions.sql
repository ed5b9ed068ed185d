-- name: AppendDecisions :one
select append_decisions(@batch::jsonb)::bigint as seq;

-- name: DecisionHead :one
select seq, hash from decision_head;

-- name: DecisionsOf :many
select * from decision_log where customer_id = @customer_id order by seq;
