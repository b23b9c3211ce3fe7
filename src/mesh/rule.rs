/*!
What a service name was taken from: the word of the rules for an operator who asks why
a span is called as it is.
*/

/// What decided the service name of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing: no rule knows a better name.
    Nothing,
    /// It is one of wayspan's own markers.
    Marker,
    /// An earlier pass, which must not be decided again.
    EarlierPass,
    /// Where a waypoint sent the request, in the form that this Kiali asks for.
    Destination,
    /// The workload of the proxy.
    Workload,
    /// The app label of the Pod that emitted the span.
    PodLabel,
    /// The app that the name means, by the labels of the cluster.
    KnownApp,
    /// The Service that the connection was meant for.
    Service,
    /// Istio's canonical service of the proxy's Pod.
    CanonicalService,
    /// The emitted name, with the namespace or without it as this Kiali asks.
    EmittedName,
    /// What an application's resource says of its workload.
    ResourceWorkload,
    /// `service_name.rename` of the configuration.
    Rename,
    /// The name that most pages ask for, as there are no markers for the others.
    MostPages,
}

impl Rule {
    /// Returns it in words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "no rule knows a better name",
            Self::Marker => "a marker of wayspan's own, which is left alone",
            Self::EarlierPass => "decided by an earlier pass, and left alone",
            Self::Destination => "the waypoint's destination, in the form this Kiali asks for",
            Self::Workload => "the proxy's workload",
            Self::PodLabel => "the app label of its Pod",
            Self::KnownApp => "the app that its name means, by labels of the cluster",
            Self::Service => "the Service that the connection was meant for",
            Self::CanonicalService => "Istio's canonical service of its Pod",
            Self::EmittedName => {
                "the emitted name, with its namespace or without as this Kiali asks"
            }
            Self::ResourceWorkload => "the workload that its resource names",
            Self::Rename => "service_name.rename of the configuration",
            Self::MostPages => "the name that most pages ask for, as aliases are off",
        }
    }
}
