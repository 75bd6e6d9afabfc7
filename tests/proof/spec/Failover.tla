------------------------------ MODULE Failover ------------------------------
(* How the pool changes its database: leases, the fence, the promotion, and a guard that may start anything.

   db1 is active in epoch 1 and db2 follows it. Pool servers hold leases on the active database. An operation begins
   with a compare-and-set of the ledger. An operator starts one at any time; so does a guard, which may sleep between
   its look at the ledger and its start. Every step may be delayed for ever; only the fairness of the last part asks
   for more. Each rule of the protocol is a constant, so that it can be left out. *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
    Servers,      \* pool servers
    Nobody,       \* stands for no server
    Writes,       \* requests that write one row each; the request stands for its row
    Reads,        \* requests that read all rows
    TERM,         \* ticks that a lease lasts
    DRIFT,        \* ticks by which a server's clock may see its end too late
    SLACK,        \* ticks that the coordinator waits beyond the term
    RENEW,        \* ticks left of a lease when a server renews it
    Faults,       \* what may break: a subset of {"primary", "link", "message"}
    Orders,       \* what operator and guard may start: a subset of {"failover", "degrade", "protect", "rejoin"}
    \* The rules of the protocol.
    LeaseWait,    \* the promotion waits for the leases' end
    SecondLook,   \* an answer is released only while the lease lasts
    FromSending,  \* a lease counts from before its renewal was sent
    Synchronous,  \* db1 confirms only what db2 has
    ByLedger,     \* a degrade begins with the ledger
    ProofOfLife,  \* before a read is released, the database shows that it lived when it answered
    Forgets,      \* a server that gives its lease up forgets the renewal that is on its way
    SyncOnly,     \* a failover is refused while the ledger says STALE
    Compares,     \* the guard's start is a compare-and-set
    FenceStops,   \* a fenced database executes nothing
    CatchesUp,    \* protect waits until db2 has every row
    \* For liveness.
    Watchful,     \* guard and operator start only what there is evidence for
    Prompt        \* no tick passes while a renewal can be answered

VARIABLES
    ledger,       \* [epoch, standby, phase]
    failover,     \* "no", "intent", "cut", "promoted"
    since,        \* ticks since the cut
    degrading,    \* a degrade has begun, and db1 still waits for db2
    protecting,   \* "no", "begun", "waiting"
    waits,        \* commits of db1 wait for db2
    link,         \* the log flows from db1 to db2
    dying,        \* db1's main process is gone; its sessions still read and answer
    fenced,       \* db1 was fenced, or is stopped for good
    rejoined,     \* db1 follows db2
    guard,        \* [order, fresh]; order "none": it has not decided
    lease,        \* server -> ticks left
    renewal,      \* server -> [age, state], state "none", "sent", "confirmed"
    on,           \* server -> 1 or 2
    gave,         \* server -> it gave its lease up
    req,          \* request -> [stage, by, late, need, saw]
    logged, received, visible, promotedRows, acked, shown,  \* sets of rows
    late, stale   \* something late, or stale, was released

pool == <<ledger, failover, since, degrading, protecting, waits, link, dying, fenced, rejoined, guard>>
holders == <<lease, renewal, on, gave>>
data == <<logged, received, visible, promotedRows, acked, shown>>
wrong == <<late, stale>>
vars == <<pool, holders, req, data, wrong>>

Requests == Writes \cup Reads
Longest == TERM + DRIFT
Wait == TERM + SLACK
None == [age |-> 0, state |-> "none"]
New == [stage |-> "new", by |-> Nobody, late |-> FALSE, need |-> {}, saw |-> {}]
Done(q) == [New EXCEPT !.stage = "done"]
Undecided == [order |-> "none", fresh |-> FALSE]
Less(n) == IF n = 0 THEN 0 ELSE n - 1

Promoted == failover = "promoted"
Stopped == fenced /\ FenceStops
Streaming == link /\ failover \in {"no", "intent"} /\ ~Stopped
Alone == ~waits \/ ~Synchronous
\* Renewals are confirmed there: by db2, which has them, or by db1 alone.
Confirms(s) == on[s] = 2 \/ (~Stopped /\ (Streaming \/ (Alone /\ ~dying)))
\* A write could be acknowledged there.
Working(s) == on[s] = 2 \/ (~dying /\ ~Stopped /\ (Alone \/ Streaming))

Init ==
    /\ ledger = [epoch |-> 1, standby |-> "SYNC", phase |-> "STEADY"]
    /\ failover = "no" /\ since = 0 /\ degrading = FALSE /\ protecting = "no"
    /\ waits = TRUE /\ link = TRUE /\ dying = FALSE /\ fenced = FALSE /\ rejoined = FALSE
    /\ guard = Undecided
    /\ lease = [s \in Servers |-> Longest]
    /\ renewal = [s \in Servers |-> None]
    /\ on = [s \in Servers |-> 1]
    /\ gave = [s \in Servers |-> FALSE]
    /\ req = [q \in Requests |-> New]
    /\ logged = {} /\ received = {} /\ visible = {} /\ promotedRows = {} /\ acked = {} /\ shown = {}
    /\ late = FALSE /\ stale = FALSE

-----------------------------------------------------------------------------
(* Time and faults *)

Answerable(s) == renewal[s].state = "confirmed" \/ (renewal[s].state = "sent" /\ Confirms(s))

Tick ==
    /\ Prompt => \A s \in Servers : ~Answerable(s)
    /\ lease' = [s \in Servers |-> Less(lease[s])]
    /\ renewal' = [s \in Servers |->
           IF renewal[s].state = "none" \/ renewal[s].age >= Longest THEN renewal[s]
           ELSE [renewal[s] EXCEPT !.age = @ + 1]]
    /\ since' = IF failover = "cut" /\ since < Wait THEN since + 1 ELSE since
    /\ UNCHANGED <<ledger, failover, degrading, protecting, waits, link, dying, fenced, rejoined, guard,
                   on, gave, req, data, wrong>>

LinkBreaks ==
    /\ "link" \in Faults /\ link
    /\ Prompt => ~dying  \* one fault at a time
    /\ link' = FALSE
    /\ UNCHANGED <<ledger, failover, since, degrading, protecting, waits, dying, fenced, rejoined, guard,
                   holders, req, data, wrong>>

LinkHeals ==
    /\ ~link
    /\ link' = TRUE
    /\ UNCHANGED <<ledger, failover, since, degrading, protecting, waits, dying, fenced, rejoined, guard,
                   holders, req, data, wrong>>

PrimaryDies ==
    /\ "primary" \in Faults /\ ~dying
    /\ Prompt => link /\ ledger.standby = "SYNC"
    /\ dying' = TRUE
    /\ visible' = logged  \* commits give their wait up
    /\ UNCHANGED <<ledger, failover, since, degrading, protecting, waits, link, fenced, rejoined, guard,
                   holders, req, logged, received, promotedRows, acked, shown, wrong>>

RowArrives(w) ==
    /\ w \in logged \ received /\ Streaming
    /\ received' = received \cup {w}
    /\ UNCHANGED <<pool, holders, req, logged, visible, promotedRows, acked, shown, wrong>>

-----------------------------------------------------------------------------
(* Leases *)

RenewalSent(s) ==
    /\ renewal[s].state = "none" /\ lease[s] <= RENEW
    /\ renewal' = [renewal EXCEPT ![s] = [age |-> 0, state |-> "sent"]]
    /\ UNCHANGED <<pool, lease, on, gave, req, data, wrong>>

RenewalConfirmed(s) ==
    /\ renewal[s].state = "sent" /\ Confirms(s)
    /\ renewal' = [renewal EXCEPT ![s].state = "confirmed"]
    /\ UNCHANGED <<pool, lease, on, gave, req, data, wrong>>

RenewalLost(s) ==
    /\ renewal[s].state # "none"
    /\ "message" \in Faults \/ ~Answerable(s)
    /\ renewal' = [renewal EXCEPT ![s] = None]
    /\ UNCHANGED <<pool, lease, on, gave, req, data, wrong>>

RenewalAnswered(s) ==
    /\ renewal[s].state = "confirmed"
    /\ LET age == IF FromSending THEN renewal[s].age ELSE 0
       IN lease' = [lease EXCEPT ![s] = IF Longest - age > @ THEN Longest - age ELSE @]
    /\ renewal' = [renewal EXCEPT ![s] = None]
    /\ UNCHANGED <<pool, on, gave, req, data, wrong>>

LeaseGivenUp(s) ==
    /\ failover = "cut" /\ ~gave[s] /\ on[s] = 1
    /\ lease' = [lease EXCEPT ![s] = 0]
    /\ renewal' = IF Forgets THEN [renewal EXCEPT ![s] = None] ELSE renewal
    /\ gave' = [gave EXCEPT ![s] = TRUE]
    /\ UNCHANGED <<pool, on, req, data, wrong>>

ServerMoves(s) ==
    /\ ledger.epoch = 2 /\ on[s] = 1
    /\ on' = [on EXCEPT ![s] = 2]
    /\ lease' = [lease EXCEPT ![s] = 0]
    /\ renewal' = [renewal EXCEPT ![s] = None]
    /\ gave' = [gave EXCEPT ![s] = FALSE]
    /\ req' = [q \in Requests |-> IF req[q].by = s THEN Done(q) ELSE req[q]]
    /\ UNCHANGED <<pool, data, wrong>>

-----------------------------------------------------------------------------
(* Requests. Answered, proved, and then the second look: released or discarded. *)

Begins(q, s) ==
    /\ req[q].stage = "new" /\ lease[s] > 0
    /\ req' = [req EXCEPT ![q] = [New EXCEPT !.stage = "sent", !.by = s, !.need = IF q \in Reads THEN acked ELSE {}]]
    /\ UNCHANGED <<pool, holders, data, wrong>>

ExecutesOn1(q) ==
    /\ req[q].stage = "sent" /\ on[req[q].by] = 1 /\ ~Stopped
    /\ IF q \in Writes
       THEN /\ logged' = logged \cup {q}
            /\ req' = [req EXCEPT ![q].stage = "executed", ![q].late = Promoted]
       ELSE /\ req' = [req EXCEPT ![q].stage = "answered", ![q].late = Promoted, ![q].saw = visible]
            /\ UNCHANGED logged
    /\ UNCHANGED <<pool, holders, received, visible, promotedRows, acked, shown, wrong>>

ExecutesOn2(q) ==
    /\ req[q].stage = "sent" /\ on[req[q].by] = 2
    /\ IF q \in Writes
       THEN /\ promotedRows' = promotedRows \cup {q}
            /\ req' = [req EXCEPT ![q].stage = "answered"]
       ELSE /\ req' = [req EXCEPT ![q].stage = "answered", ![q].saw = promotedRows]
            /\ UNCHANGED promotedRows
    /\ UNCHANGED <<pool, holders, logged, received, visible, acked, shown, wrong>>

CommitConfirmed(w) ==
    /\ w \in logged \ visible /\ ~dying /\ ~Stopped
    /\ Alone \/ w \in received
    /\ visible' = visible \cup {w}
    /\ UNCHANGED <<pool, holders, req, logged, received, promotedRows, acked, shown, wrong>>

CommitAnswered(w) ==
    /\ req[w].stage = "executed" /\ w \in visible /\ ~dying /\ ~Stopped
    /\ req' = [req EXCEPT ![w].stage = "answered"]
    /\ UNCHANGED <<pool, holders, data, wrong>>

Breaks(q) ==
    /\ req[q].stage \in {"sent", "executed"}
    /\ req' = [req EXCEPT ![q] = Done(q)]
    /\ UNCHANGED <<pool, holders, data, wrong>>

Proved(q) ==
    /\ q \in Reads /\ req[q].stage = "answered"
    /\ on[req[q].by] = 2 \/ (~dying /\ ~Stopped)
    /\ req' = [req EXCEPT ![q].stage = "proved"]
    /\ UNCHANGED <<pool, holders, data, wrong>>

Releasable(q) == req[q].stage = IF q \in Reads /\ ProofOfLife THEN "proved" ELSE "answered"

Released(q) ==
    /\ Releasable(q)
    /\ SecondLook => lease[req[q].by] > 0
    /\ late' = (late \/ req[q].late)
    /\ IF q \in Writes
       THEN acked' = acked \cup {q} /\ UNCHANGED <<shown, stale>>
       ELSE /\ shown' = IF on[req[q].by] = 1 THEN shown \cup req[q].saw ELSE shown
            /\ stale' = (stale \/ ~(req[q].need \subseteq req[q].saw))
            /\ UNCHANGED acked
    /\ req' = [req EXCEPT ![q] = Done(q)]
    /\ UNCHANGED <<pool, holders, logged, received, visible, promotedRows>>

Discarded(q) ==
    /\ req[q].stage \in {"answered", "proved"}
    /\ req' = [req EXCEPT ![q] = Done(q)]
    /\ UNCHANGED <<pool, holders, data, wrong>>

-----------------------------------------------------------------------------
(* What changes the ledger. The guard's decision is not fresh any more when somebody else has changed it. *)

Aged == [guard EXCEPT !.fresh = FALSE]

\* What the ledger allows.
Allowed(order) ==
    /\ ledger.phase = "STEADY"
    /\ CASE order = "failover" -> ledger.epoch = 1 /\ (SyncOnly => ledger.standby = "SYNC")
         [] order = "degrade"  -> ledger.epoch = 1 /\ ledger.standby = "SYNC"
         [] order = "protect"  -> ledger.standby = "STALE" /\ (ledger.epoch = 2 => rejoined)
         [] order = "rejoin"   -> ledger.epoch = 2 /\ ledger.standby = "STALE" /\ ~rejoined

\* What an observer must see before it acts. Safety does not rest on it.
Evident(order) ==
    Watchful => CASE order = "failover" -> dying
                  [] order = "degrade"  -> ~link /\ ~dying
                  [] order = "protect"  -> link \/ ledger.epoch = 2
                  [] order = "rejoin"   -> TRUE

\* The intent is written, and the operation has begun.
Start(order) ==
    CASE order = "failover" ->
           /\ ledger' = [ledger EXCEPT !.phase = "FAILOVER"]
           /\ failover' = "intent"
           /\ UNCHANGED <<degrading, protecting, fenced, rejoined>>
      [] order = "degrade" ->
           /\ ledger' = IF ByLedger THEN [ledger EXCEPT !.phase = "DEGRADE", !.standby = "STALE"] ELSE ledger
           /\ degrading' = TRUE
           /\ UNCHANGED <<failover, protecting, fenced, rejoined>>
      [] order = "protect" ->
           /\ ledger' = [ledger EXCEPT !.phase = "PROTECT"]
           /\ protecting' = "begun"
           /\ UNCHANGED <<failover, degrading, fenced, rejoined>>
      [] order = "rejoin" ->
           /\ ledger' = [ledger EXCEPT !.phase = "REJOIN"]
           /\ fenced' = TRUE  \* db1 is stopped before it is rewound
           /\ UNCHANGED <<failover, degrading, protecting, rejoined>>

OperatorStarts(order) ==
    /\ order \in Orders /\ Allowed(order) /\ Evident(order)
    /\ Start(order)
    /\ guard' = Aged
    /\ UNCHANGED <<since, waits, link, dying, holders, req, data, wrong>>

GuardDecides(order) ==
    /\ order \in Orders /\ Allowed(order) /\ Evident(order) /\ guard = Undecided
    /\ guard' = [order |-> order, fresh |-> TRUE]
    /\ UNCHANGED <<ledger, failover, since, degrading, protecting, waits, link, dying, fenced, rejoined,
                   holders, req, data, wrong>>

GuardStarts ==
    /\ guard # Undecided
    /\ Compares => guard.fresh
    /\ Start(guard.order)
    /\ guard' = Undecided
    /\ UNCHANGED <<since, waits, link, dying, holders, req, data, wrong>>

GuardGivesUp ==
    /\ guard # Undecided /\ ~guard.fresh
    /\ guard' = Undecided
    /\ UNCHANGED <<ledger, failover, since, degrading, protecting, waits, link, dying, fenced, rejoined,
                   holders, req, data, wrong>>

-----------------------------------------------------------------------------
(* The steps of operations, whoever runs them *)

SecondaryCut ==
    /\ failover = "intent"
    /\ failover' = "cut"
    /\ UNCHANGED <<ledger, since, degrading, protecting, waits, link, dying, fenced, rejoined, guard,
                   holders, req, data, wrong>>

PrimaryFenced ==
    /\ failover = "cut" /\ ~fenced
    /\ fenced' = TRUE
    /\ UNCHANGED <<ledger, failover, since, degrading, protecting, waits, link, dying, rejoined, guard,
                   holders, req, data, wrong>>

NobodyLeft == ~LeaseWait \/ fenced \/ since >= Wait \/ \A s \in Servers : gave[s]

SecondaryPromoted ==
    /\ failover = "cut" /\ NobodyLeft
    /\ failover' = "promoted" /\ since' = 0
    /\ promotedRows' = received
    /\ UNCHANGED <<ledger, degrading, protecting, waits, link, dying, fenced, rejoined, guard,
                   holders, req, logged, received, visible, acked, shown, wrong>>

EpochRecorded ==
    /\ failover = "promoted" /\ ledger.epoch = 1
    /\ ledger' = [epoch |-> 2, standby |-> "STALE", phase |-> "STEADY"]
    /\ guard' = Aged
    /\ UNCHANGED <<failover, since, degrading, protecting, waits, link, dying, fenced, rejoined,
                   holders, req, data, wrong>>

DegradeEnds ==
    /\ degrading
    /\ degrading' = FALSE /\ waits' = FALSE
    /\ ledger' = IF ledger.phase = "DEGRADE" THEN [ledger EXCEPT !.phase = "STEADY"] ELSE ledger
    /\ guard' = Aged
    /\ UNCHANGED <<failover, since, protecting, link, dying, fenced, rejoined, holders, req, data, wrong>>

ProtectSets ==
    /\ protecting = "begun"
    /\ protecting' = "waiting"
    /\ waits' = IF ledger.epoch = 1 THEN TRUE ELSE waits
    /\ UNCHANGED <<ledger, failover, since, degrading, link, dying, fenced, rejoined, guard,
                   holders, req, data, wrong>>

ProtectEnds ==
    /\ protecting = "waiting"
    /\ ledger.epoch = 1 /\ CatchesUp => Streaming /\ logged \subseteq received
    /\ protecting' = "no"
    /\ ledger' = [ledger EXCEPT !.phase = "STEADY", !.standby = "SYNC"]
    /\ guard' = Aged
    /\ UNCHANGED <<failover, since, degrading, waits, link, dying, fenced, rejoined, holders, req, data, wrong>>

RejoinEnds ==
    /\ ledger.phase = "REJOIN"
    /\ rejoined' = TRUE
    /\ ledger' = [ledger EXCEPT !.phase = "STEADY"]
    /\ guard' = Aged
    /\ UNCHANGED <<failover, since, degrading, protecting, waits, link, dying, fenced, holders, req, data, wrong>>

-----------------------------------------------------------------------------

Order == {"failover", "degrade", "protect", "rejoin"}

Operations ==
    \/ SecondaryCut \/ PrimaryFenced \/ SecondaryPromoted \/ EpochRecorded \/ DegradeEnds
    \/ ProtectSets \/ ProtectEnds \/ RejoinEnds

OfServer(s) ==
    \/ RenewalSent(s) \/ RenewalConfirmed(s) \/ RenewalLost(s) \/ RenewalAnswered(s)
    \/ LeaseGivenUp(s) \/ ServerMoves(s)

OfRequest(q) ==
    \/ \E s \in Servers : Begins(q, s)
    \/ ExecutesOn1(q) \/ ExecutesOn2(q) \/ Breaks(q) \/ Proved(q) \/ Released(q) \/ Discarded(q)

Next ==
    \/ Tick \/ LinkBreaks \/ LinkHeals \/ PrimaryDies
    \/ \E w \in Writes : RowArrives(w) \/ CommitConfirmed(w) \/ CommitAnswered(w)
    \/ \E s \in Servers : OfServer(s)
    \/ \E q \in Requests : OfRequest(q)
    \/ \E order \in Order : OperatorStarts(order) \/ GuardDecides(order)
    \/ GuardStarts \/ GuardGivesUp
    \/ Operations

Safe == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What must hold *)

NothingLate == ~late
NothingStale == ~stale
NoAcknowledgedWriteIsLost == Promoted => acked \subseteq promotedRows
NothingShownIsLost == Promoted => shown \subseteq promotedRows
NoLeaseIsLeftBehind == Promoted /\ ~fenced => \A s \in Servers : on[s] = 1 => lease[s] = 0

Symmetric == Permutations(Servers)

-----------------------------------------------------------------------------
(* Liveness: after one fault, and with nobody at the keys, some server can write again and again. *)

NextAlone ==
    \/ Tick \/ LinkBreaks \/ PrimaryDies
    \/ \E s \in Servers : OfServer(s)
    \/ \E order \in Order : GuardDecides(order)
    \/ GuardStarts \/ GuardGivesUp \/ Operations

Live ==
    /\ Init /\ [][NextAlone]_vars
    /\ WF_vars(Tick) /\ WF_vars(Operations) /\ WF_vars(GuardStarts) /\ WF_vars(GuardGivesUp)
    /\ \A order \in Order : WF_vars(GuardDecides(order))
    /\ \A s \in Servers :
          /\ WF_vars(RenewalSent(s)) /\ WF_vars(RenewalConfirmed(s)) /\ WF_vars(RenewalAnswered(s))
          /\ WF_vars(RenewalLost(s)) /\ WF_vars(ServerMoves(s))

Serves == \E s \in Servers : lease[s] > 0 /\ Working(s)
ServesAgainAndAgain == []<>Serves
IsProtectedAgain == dying ~> ledger.epoch = 2 /\ ledger.standby = "SYNC"
=============================================================================
