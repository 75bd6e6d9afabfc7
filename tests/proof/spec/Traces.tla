------------------------------- MODULE Traces -------------------------------
(* Is what the pool server's code did, in a simulation, a behaviour of the specification?

   Each recorded event is one action of Failover, at its tick. Rows are not recorded: who may release what, and when, is
   compared, and not what an answer shows. An event that is not possible at its tick is printed as rejected. *)
EXTENDS Failover, Sequences, Recorded

VARIABLES which, next, now
trace == <<which, next, now>>

Events == Recording[which]
Event == Events[next]
Finished == next > Len(Events)

TraceInit ==
    /\ ledger = [epoch |-> 1, standby |-> "SYNC", phase |-> "STEADY"]
    /\ failover = "no" /\ since = 0 /\ degrading = FALSE /\ protecting = "no"
    /\ waits = TRUE /\ link = TRUE /\ dying = FALSE /\ fenced = FALSE /\ rejoined = FALSE
    /\ guard = Undecided
    /\ lease = [s \in Servers |-> 0]
    /\ renewal = [s \in Servers |-> None]
    /\ on = [s \in Servers |-> 1]
    /\ gave = [s \in Servers |-> FALSE]
    /\ req = [q \in Requests |-> New]
    /\ logged = {} /\ received = {} /\ visible = {} /\ promotedRows = {} /\ acked = {} /\ shown = {}
    /\ late = FALSE /\ stale = FALSE
    /\ which \in 1 .. Len(Recording) /\ next = 1 /\ now = 0

\* A place for a request is used again when the request is over.
BeginsAgain(q, s) ==
    /\ req[q].stage \in {"new", "done"} /\ lease[s] > 0
    /\ req' = [req EXCEPT ![q] = [New EXCEPT !.stage = "sent", !.by = s]]
    /\ UNCHANGED <<pool, holders, data, wrong>>

CommitAnswers(q) ==
    /\ req[q].stage \in {"executed", "answered"}
    /\ req' = [req EXCEPT ![q].stage = "answered"]
    /\ UNCHANGED <<pool, holders, data, wrong>>

\* One proof is enough for all that the server was answered before.
AllProved(s) ==
    /\ on[s] = 2 \/ ~dying
    /\ req' = [q \in Requests |-> IF q \in Reads /\ req[q].stage = "answered" /\ req[q].by = s
                                  THEN [req[q] EXCEPT !.stage = "proved"] ELSE req[q]]
    /\ UNCHANGED <<pool, holders, data, wrong>>

Gone(q) ==
    /\ req' = [req EXCEPT ![q] = Done(q)]
    /\ UNCHANGED <<pool, holders, data, wrong>>

Action(event) ==
    CASE event.what = "sent"      -> RenewalSent(event.s)
      [] event.what = "confirmed" -> RenewalConfirmed(event.s)
      [] event.what = "answered"  -> RenewalAnswered(event.s)
      [] event.what = "lost"      -> RenewalLost(event.s)
      [] event.what = "gave"      -> LeaseGivenUp(event.s)
      [] event.what = "moves"     -> ServerMoves(event.s)
      [] event.what = "begins"    -> BeginsAgain(event.q, event.s)
      [] event.what = "executed"  -> ExecutesOn1(event.q) \/ ExecutesOn2(event.q)
      [] event.what = "commits"   -> CommitAnswers(event.q)
      [] event.what = "proof"     -> AllProved(event.s)
      [] event.what = "released"  -> Released(event.q)
      [] event.what = "gone"      -> Gone(event.q)
      [] event.what = "failover"  -> OperatorStarts("failover")
      [] event.what = "degrade"   -> OperatorStarts("degrade")
      [] event.what = "alone"     -> DegradeEnds
      [] event.what = "cut"       -> SecondaryCut
      [] event.what = "promoted"  -> SecondaryPromoted
      [] event.what = "recorded"  -> EpochRecorded
      [] event.what = "breaks"    -> LinkBreaks
      [] event.what = "dies"      -> PrimaryDies

Step == ~Finished /\ now = Event.at /\ Action(Event)

TraceNext ==
    \/ ~Finished /\ now < Event.at /\ Tick /\ now' = now + 1 /\ UNCHANGED <<which, next>>
    \/ Step /\ next' = next + 1 /\ UNCHANGED <<which, now>>

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, trace>>

\* Printed once for each trace.
Told ==
    /\ Finished => PrintT(<<"accepted", which>>)
    /\ ~Finished /\ now = Event.at /\ ~ENABLED Step => PrintT(<<"rejected", which, next, Event.what>>)
=============================================================================
