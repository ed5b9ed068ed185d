-- name: AppendDecisions :exec
select append_decisions(@ats::timestamptz[], @kinds::text[], @actors::text[], @customers::text[], @runs::text[],
    @touches::text[], @subjects::text[], @bodies::text[]);

-- name: DecisionHead :one
select seq, hash from decision_head;

-- name: DecisionsOf :many
select * from decision_log
where customer_id = any(array(select c.id from customers c where c.id = @customer_id or c.merged_into = @customer_id)) order by seq;
