{{- define "wayspan.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "wayspan.fullname" -}}
{{- $name := include "wayspan.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "wayspan.selectorLabels" -}}
app.kubernetes.io/name: {{ include "wayspan.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wayspan.labels" -}}
{{ include "wayspan.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Name, namespace and labels of an object. */}}
{{- define "wayspan.metadata" -}}
name: {{ include "wayspan.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "wayspan.labels" . | nindent 2 }}
{{- end }}

{{- define "wayspan.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "wayspan.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "wayspan.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end }}
{{- end }}
{{- end }}

{{/* Nine tenths of the volume, in MiB: what the log may take. */}}
{{- define "wayspan.logMiB" -}}
{{- $size := .Values.log.size -}}
{{- $mib := trimSuffix "Mi" $size | trimSuffix "Gi" | int64 -}}
{{- if hasSuffix "Gi" $size }}{{ $mib = mul $mib 1024 }}{{ end -}}
{{- div (mul $mib 9) 10 }}
{{- end }}

{{/* The configuration; with the log, each exporter over OTLP has its queue there. */}}
{{- define "wayspan.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if eq .Values.mode "statefulset" -}}
{{- $storage := dict "directory" "/var/lib/wayspan" "fsync" .Values.log.fsync "max_size_mib" (include "wayspan.logMiB" . | int) -}}
{{- $extensions := mergeOverwrite (dict "file_storage" $storage) (default dict $config.extensions) -}}
{{- $_ := set $config "extensions" $extensions -}}
{{- $started := append (default list $config.service.extensions) "file_storage" | uniq -}}
{{- $_ := set $config.service "extensions" $started -}}
{{- range $id, $exporter := $config.exporters -}}
{{- if has (first (splitList "/" $id)) (list "otlp" "otlp_grpc" "otlphttp" "otlp_http") -}}
{{- $queue := mergeOverwrite (dict "storage" "file_storage") (default dict $exporter.sending_queue) -}}
{{- $_ := set $exporter "sending_queue" $queue -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config }}
{{- end }}
